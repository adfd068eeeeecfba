/** The loop of every careful client: read, merge, write, and look whether a sibling is left. */
import { ClusterError } from "../errors.ts";
import type { Bucket, BytesInput, Found, GetOptions, PutOptions, Stored } from "./api.ts";
import { deadlineAfter } from "./deadline.ts";
import { mergedValues } from "./found.ts";

/** Rounds before it gives up against other writers. */
const roundsMax = 16;

export interface Update {
  readonly key: BytesInput;
  readonly merge: (values: Uint8Array[]) => BytesInput;
  readonly options: GetOptions & PutOptions;
  readonly timeoutMs: number;
}

export async function update(
  verbs: Pick<Bucket, "get" | "put">,
  { key, merge, options, timeoutMs }: Update,
): Promise<Stored> {
  const left = deadlineAfter(timeoutMs);
  const read = (): Promise<Found> => verbs.get(key, { ...readOptions(options), timeoutMs: left() });
  let stored: Stored | undefined;
  try {
    let found = await read();
    for (let round = 0; round < roundsMax; round++) {
      const object = merge([...mergedValues(found)]);
      const { context } = found;
      stored = await verbs.put(key, object, { ...options, context, timeoutMs: left() });
      found = await read();
      if (found.values.length < 2) return { ...stored, context: found.context };
    }
  } catch (error) {
    // What was written before stays, whatever went wrong after it.
    if (stored === undefined || !(error instanceof ClusterError)) throw error;
    const { code, message, cause } = error;
    throw new ClusterError(code, message, { applied: "yes", cause });
  }
  throw new ClusterError(
    "CONFLICT",
    `other writers left siblings again after each of ${roundsMax} merges; try again later`,
    { applied: "yes" },
  );
}

/** The options of a read among those of a write. */
export function readOptions({ timeoutMs, signal, strict, r }: GetOptions): GetOptions {
  return { timeoutMs, signal, strict, r };
}
