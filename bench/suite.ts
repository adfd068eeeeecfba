/**
 * benny's only importer: runs one micro suite and prints its rates. benny calls each case once
 * when it is added, so cases must not mind being called. Its own printing, which puts cursor codes
 * even into pipes, is left out.
 */
import { loadTool } from "./peers.ts";
import type { MicroResult } from "./report.ts";

export interface MicroCase {
  readonly name: string;
  /** Operations in one call: where one takes nanoseconds, a call does many. */
  readonly unit: number;
  readonly run: () => void;
}

export interface MicroSuite {
  readonly name: string;
  readonly prepare: () => Promise<readonly MicroCase[]> | readonly MicroCase[];
}

type Library = typeof import("benny");

export const microPackage = "benny";

export async function runMicroSuite(suite: MicroSuite): Promise<MicroResult[]> {
  const benny = await loadTool<Library>(microPackage, () => import("benny"));
  const cases = await suite.prepare();
  const summary = await benny.suite(
    suite.name,
    ...cases.map(({ name, run }) => benny.add(name, run, { minSamples: 20, maxTime: 1 })),
  );
  return summary.results.map(({ name, ops, margin }): MicroResult => {
    const unit = cases.find((candidate) => candidate.name === name)?.unit ?? 1;
    return { suite: suite.name, name, nanoseconds: 1e9 / (ops * unit), marginPercent: margin };
  });
}
