/**
 * One YCSB operation after the other: which it is, and on which key. It counts the gets; what a
 * plain one found, its answer says.
 */
import { type Chance, keyBytes, keyOf, scattered, type Values, Zipf } from "./keys.ts";
import type { Tally } from "./tally.ts";
import type { Target } from "./target.ts";
import { scanEntriesMax, type Workload } from "./workloads.ts";

export interface MixRequest {
  readonly target: Target;
  readonly workload: Workload;
  readonly n: number;
  readonly values: Values;
  readonly chance: Chance;
}

export function mixOperation(request: MixRequest, tally: Tally): (i: number) => unknown {
  const { target, workload, n, values, chance } = request;
  const { mix } = workload;
  if (mix === undefined) throw new Error(`${workload.name} has no mix`);
  const zipf = new Zipf(n, chance);
  // Inserted keys come behind the loaded ones; workloads of one database reuse them.
  let end = n;
  // Popular keys lie all over the key space, not side by side.
  const pick = (): number =>
    mix.latest ? Math.max(0, end - 1 - zipf.rank()) : scattered(zipf.rank(), n);
  let version = 0;
  const put = (index: number): unknown => {
    tally.givenBytes += keyBytes + values.bytes;
    version += 1;
    return target.put(keyOf(index), values.of(index, version));
  };
  const { read, update, insert, scan } = mix;
  return (): unknown => {
    const draw = chance.below(100);
    if (draw < read) {
      tally.asked += 1;
      return target.get(keyOf(pick()));
    }
    if (draw < read + update) return put(pick());
    if (draw < read + update + insert) return put(end++);
    if (draw < read + update + insert + scan) {
      return target.scan({ from: keyOf(pick()), count: 1 + chance.below(scanEntriesMax) });
    }
    const index = pick();
    tally.asked += 1;
    return (async () => {
      if ((await target.get(keyOf(index))) !== undefined) tally.found += 1;
      await put(index);
    })();
  };
}
