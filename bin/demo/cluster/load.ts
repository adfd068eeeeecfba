/**
 * The demo's clients: many calls in flight, each answer compared with what must be there. What was
 * written last under each key is remembered, so that any replica can be held against it later.
 */
import type { Client } from "../../../src/client/api.ts";
import type { City } from "../cities.ts";
import { recordKey, recordValue } from "../records.ts";

export interface Tally {
  writes: number;
  reads: number;
  /** Calls that failed, and answers that were not what was written. */
  errors: number;
  wrong: number;
  /** The first few, in words. */
  readonly said: string[];
}

export function newTally(): Tally {
  return { writes: 0, reads: 0, errors: 0, wrong: 0, said: [] };
}

const lanes = 256;
const saidMax = 5;

/** What the cluster must hold at the end. */
export type Expected = Map<string, string>;

export async function importAll(
  client: Client,
  cities: readonly City[],
  { expected, tally }: { readonly expected: Expected; readonly tally: Tally },
): Promise<void> {
  await inLanes(cities.length, async (i) => {
    const { key, value } = cities[i]!;
    // Nothing is there yet, so nothing needs to be read first.
    if (!(await counted(tally, "writes", () => client.put(key, value)))) return;
    expected.set(key, value);
  });
}

export async function readAll(client: Client, expected: Expected, tally: Tally): Promise<void> {
  const keys = [...expected.keys()];
  await inLanes(keys.length, (i) => readOne(client, keys[i]!, expected, tally));
}

/** Writes over old records and adds new ones, and reads something after each write. */
export async function writeOn(
  client: Client,
  cities: readonly City[],
  {
    expected,
    tally,
    count,
  }: {
    readonly expected: Expected;
    readonly tally: Tally;
    readonly count: number;
  },
): Promise<void> {
  await inLanes(count, async (i) => {
    // A step that shares no factor with their number meets cities all over the ring.
    const old = cities[(i * 70_001) % cities.length]!;
    const isNew = i % 2 === 0;
    const key = isNew ? recordKey(i) : old.key;
    const value = isNew ? Buffer.from(recordValue(i)).toString("hex") : `${old.value} #${i}`;
    const isWritten = await counted(tally, "writes", async () => {
      const context = isNew ? undefined : (await client.get(key)).context;
      await client.put(key, value, { context });
    });
    if (!isWritten) return;
    expected.set(key, value);
    await readOne(client, key, expected, tally);
    // Beside a new record, a city that nothing has written since its import.
    if (isNew) await readOne(client, old.key, expected, tally);
  });
}

async function readOne(
  client: Client,
  key: string,
  expected: Expected,
  tally: Tally,
): Promise<void> {
  await counted(tally, "reads", async () => {
    const { values } = await client.get(key);
    const [only] = values;
    const found = only === undefined ? "nothing" : Buffer.from(only).toString("utf8");
    if (values.length === 1 && found === expected.get(key)) return;
    tally.wrong += 1;
    say(tally, `${key}: ${values.length} values, ${found}`);
  });
}

async function counted(
  tally: Tally,
  what: "writes" | "reads",
  call: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await call();
    tally[what] += 1;
    return true;
  } catch (error) {
    tally.errors += 1;
    say(tally, error instanceof Error ? error.message : String(error));
    return false;
  }
}

function say(tally: Tally, what: string): void {
  if (tally.said.length < saidMax && !tally.said.includes(what)) tally.said.push(what);
}

/** Each number below `count` once, a fixed number of them at a time. */
async function inLanes(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const i = next;
      next += 1;
      await work(i);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
