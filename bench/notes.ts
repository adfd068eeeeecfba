/** What a reader of the tables must know, and what may surprise him: printed below them. */
import type { Choices } from "./choices.ts";
import { sampledOneIn } from "./latency.ts";
import type { TargetInfo } from "./target.ts";

export function notesOf(
  targets: readonly TargetInfo[],
  unavailable: ReadonlyMap<string, string>,
  { rounds, secondsMax }: Choices,
): string[] {
  return [
    `medians of ${rounds} rounds, engines interleaved, one process each (lowest–highest)`,
    "rates of writes count until no flush or compaction runs; drain s is the wait for that",
    `a rate with * was ended after ${secondsMax} s, before all operations were done`,
    "kill -9: what a put has survived when it resolves; power cut: fdatasync came before",
    `percentiles: each operation of batch and durable rows, else one in ${sampledOneIn}`,
    "written: write_bytes of /proc/self/io: a page changed again while still dirty counts once",
    "w-amp: written by the bytes of keys and values that were given; s-amp: disk by the same",
    "peak: VmHWM during the row; cpu: all threads; disk: allocated blocks",
    ...targets.flatMap(({ name, notes }) => notes.map((line) => `${name}: ${line}`)),
    ...[...unavailable].map(([name, why]) => `${name}: — because it ${why}`),
  ];
}
