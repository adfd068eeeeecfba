/**
 * What a run leaves behind, as one file of JSON: where it took place, and what its micro suites,
 * rows and scenes gave. It is saved whenever something is added, because a run may take hours.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Environment } from "./environment.ts";
import type { Row } from "./measurement.ts";
import type { SceneResult } from "./scene.ts";

export interface MicroResult {
  readonly suite: string;
  readonly name: string;
  readonly nanoseconds: number;
  readonly marginPercent: number;
}

export interface Report {
  readonly kind: "everwrite-bench";
  readonly version: 1;
  readonly command: string;
  readonly environment: Environment;
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
  readonly micro: readonly MicroResult[];
  readonly scenes: readonly SceneResult[];
}

type Parts = Pick<Report, "rows" | "micro" | "scenes">;

/** A report as it grows. */
export class Results {
  readonly #path: string | undefined;
  #report: Report;

  /** Throws at once, and not after hours, when the file cannot be written. */
  constructor(path: string | undefined, head: Pick<Report, "command" | "environment" | "notes">) {
    this.#path = path;
    this.#report = {
      ...{ kind: "everwrite-bench", version: 1 },
      ...{ ...head, rows: [], micro: [], scenes: [] },
    };
    if (path === undefined) return;
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(path, "a"));
  }

  get report(): Report {
    return this.#report;
  }

  add({ rows = [], micro = [], scenes = [] }: Partial<Parts>): void {
    const { rows: earlier, micro: suites, scenes: played } = this.#report;
    this.#report = {
      ...this.#report,
      rows: [...earlier, ...rows],
      micro: [...suites, ...micro],
      scenes: [...played, ...scenes],
    };
    if (this.#path === undefined) return;
    writeFileSync(this.#path, `${JSON.stringify(this.#report, null, 2)}\n`);
  }
}

export function readReport(path: string): Report {
  const report = parse(path);
  if (report?.kind !== "everwrite-bench" || report.version !== 1 || report.rows === undefined) {
    throw new Error(`${path} is not a result of this benchmark`);
  }
  // A file may have been written before a run kept all its parts in one.
  return { micro: [], scenes: [], ...report } as Report;
}

function parse(path: string): Partial<Report> | undefined {
  const text = readFileSync(path, "utf8");
  try {
    return JSON.parse(text) as Partial<Report>;
  } catch {
    return undefined;
  }
}
