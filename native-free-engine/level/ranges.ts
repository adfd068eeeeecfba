/** Operations on many keys that would take too long in one go, in slices of one state. */
import type { BytesInput, Engine, Range, Snapshot } from "../api.ts";

/** Keys of one slice. */
const sliceKeys = 1000;

export interface RangeToClear extends Range {
  readonly reverse?: boolean | undefined;
  readonly limit?: number | undefined;
  readonly snapshot?: Snapshot | undefined;
}

/** Deletes what is in the range at the call; what is written meanwhile stays or goes. */
export async function clearRange(engine: Engine, range: RangeToClear): Promise<void> {
  const scan = engine.scan({ ...range, values: false });
  try {
    for (;;) {
      const pairs = await scan.nextMany(sliceKeys);
      if (pairs.length > 0) await engine.batch(pairs.map(([key]) => ({ type: "del", key })));
      if (pairs.length < sliceKeys) return;
    }
  } finally {
    await scan.close();
  }
}

/** Which of the keys are there at the call, without reading values out. */
export function hasMany(
  engine: Engine,
  keys: readonly BytesInput[],
  given: Snapshot | undefined,
): Promise<boolean[]> {
  if (keys.length <= sliceKeys) return hasSlice(engine, keys, given);
  return hasSlices(engine, keys, given);
}

async function hasSlices(
  engine: Engine,
  keys: readonly BytesInput[],
  given: Snapshot | undefined,
): Promise<boolean[]> {
  const own = given === undefined ? engine.snapshot() : undefined;
  try {
    const found: boolean[] = [];
    for (let at = 0; at < keys.length; at += sliceKeys) {
      const slice = keys.slice(at, at + sliceKeys);
      for (const one of await hasSlice(engine, slice, given ?? own)) found.push(one);
    }
    return found;
  } finally {
    await own?.close();
  }
}

/** Each `has` reads at its call, so all of them see one state. */
function hasSlice(
  engine: Engine,
  keys: readonly BytesInput[],
  snapshot: Snapshot | undefined,
): Promise<boolean[]> {
  return Promise.all(keys.map((key) => engine.has(key, { snapshot })));
}
