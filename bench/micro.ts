/** `micro`: the benny suites, each in a process of its own. */
import { askChild } from "./fork-child.ts";
import type { MicroResult } from "./suite.ts";
import { columns } from "./table.ts";

const minutesMax = 5;
export const microNames = ["block-search", "filter", "memtable", "record", "checksum"] as const;

export async function runMicro(
  names: readonly string[],
  say: (line: string) => void,
): Promise<MicroResult[]> {
  const results: MicroResult[] = [];
  for (const name of names.length > 0 ? names : microNames) {
    results.push(
      ...(await askChild<MicroResult[]>({ script: "micro-child", argument: name, minutesMax })),
    );
  }
  const lines = results.map(({ suite, name, nanoseconds, marginPercent }) => [
    `${suite}: ${name}`,
    nanoseconds >= 1000 ? nanoseconds.toFixed(0) : nanoseconds.toPrecision(3),
    `±${marginPercent.toFixed(1)} %`,
    Math.round(1e9 / nanoseconds).toLocaleString("en-US"),
  ]);
  say(columns([["micro", "ns each", "margin", "a second"], ...lines]).trimEnd());
  return results;
}
