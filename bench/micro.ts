/** `micro`: the benny suites, each in a process of its own. */
import type { Progress } from "./forecast.ts";
import { askChild } from "./fork-child.ts";
import type { MicroResult } from "./report.ts";
import { columns } from "./table.ts";

const minutesMax = 5;
/** A few cases of a good second, and what prepares them. */
const suiteSeconds = 8;
export const microNames = ["block-search", "filter", "memtable", "record", "checksum"] as const;

export async function runMicro(
  names: readonly string[],
  progress: Progress,
): Promise<MicroResult[]> {
  const results: MicroResult[] = [];
  for (const name of names) {
    progress.begin(`micro: ${name}`);
    const argument = JSON.stringify(name);
    results.push(
      ...(await askChild<MicroResult[]>({ script: "micro-child", argument, minutesMax })),
    );
    progress.end(suiteSeconds);
  }
  return results;
}

/** The forecast of `runMicro`. */
export function microSeconds(names: readonly string[]): number {
  return names.length * suiteSeconds;
}

export function microTable(results: readonly MicroResult[]): string {
  const lines = results.map(({ suite, name, nanoseconds, marginPercent }) => [
    `${suite}: ${name}`,
    nanoseconds >= 1000 ? nanoseconds.toFixed(0) : nanoseconds.toPrecision(3),
    `±${marginPercent.toFixed(1)} %`,
    Math.round(1e9 / nanoseconds).toLocaleString("en-US"),
  ]);
  return columns([["micro", "ns each", "margin", "a second"], ...lines]);
}
