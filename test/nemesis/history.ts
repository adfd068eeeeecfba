/**
 * What clients did and saw, in memory for the checks and line by line in a file that outlives a
 * crash of anything else. Every call has one end, and that within its time.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Applied } from "../../src/index.ts";
import type { WriteSeen } from "../sim/checks.ts";

export interface HistoryWrite extends WriteSeen {
  readonly workload: string;
}

interface CallSeen {
  readonly workload: string;
  readonly atMs: number;
  readonly tookMs: number;
  /** Undefined: it succeeded. */
  readonly code: string | undefined;
}

/** A process that is starved may be so late with an answer. */
const lateMsMax = 10_000;

export class History {
  readonly writes: HistoryWrite[] = [];
  readonly wrongs: string[] = [];
  readonly calls: CallSeen[] = [];
  readonly #file: number;
  readonly #begunAt = performance.now();
  /** By key, what was written there and not surely refused. */
  readonly #known = new Map<string, Map<string, HistoryWrite>>();
  readonly #under = new Set<string>();
  #last = 0;

  constructor(path: string) {
    this.#file = openSync(path, "w");
  }

  get nowMs(): number {
    return Math.round(performance.now() - this.#begunAt);
  }

  /** A call that the clients make: counted, timed, and its failure kept. */
  async call<T>(
    { workload, what, timeoutMs }: { workload: string; what: string; timeoutMs: number },
    run: () => Promise<T>,
  ): Promise<{ readonly done: T } | { readonly failed: Failure }> {
    const atMs = this.nowMs;
    const name = `${++this.#last} ${workload} ${what}`;
    this.#under.add(name);
    let code: string | undefined;
    try {
      return { done: await run() };
    } catch (error) {
      const failed = failureOf(error);
      if (failed.isBug) this.wrongs.push(`${name}: ${failed.message}`);
      code = failed.code;
      return { failed };
    } finally {
      this.#under.delete(name);
      const tookMs = this.nowMs - atMs;
      this.calls.push({ workload, atMs, tookMs, code });
      if (tookMs > timeoutMs + lateMsMax) this.wrongs.push(`${name} took ${tookMs} ms`);
      this.say({ call: name, atMs, tookMs, code });
    }
  }

  /** Noted before it is sent, so that whoever reads it can be told that it was written. */
  begin(write: Omit<HistoryWrite, "outcome">): HistoryWrite {
    const noted: HistoryWrite = { ...write, outcome: "maybe" };
    this.writes.push(noted);
    if (write.value !== undefined) {
      const known = this.#known.get(write.key) ?? new Map<string, HistoryWrite>();
      known.set(write.value, noted);
      this.#known.set(write.key, known);
    }
    return noted;
  }

  end(write: HistoryWrite, outcome: HistoryWrite["outcome"]): void {
    write.outcome = outcome;
    this.say({ write: write.key, value: write.value, knew: write.knew, outcome });
  }

  /** What is read was written there, and not surely refused before. */
  read(key: string, values: readonly string[]): void {
    const known = this.#known.get(key);
    for (const value of values) {
      const write = known?.get(value);
      if (write === undefined) this.wrongs.push(`${key}: ${value} was read and never written`);
      else if (write.outcome === "failed") {
        this.wrongs.push(`${key}: ${value} was read and had been refused`);
      }
    }
  }

  /** Calls that never came to an end. */
  close(): void {
    for (const name of this.#under) this.wrongs.push(`${name} never ended`);
    closeSync(this.#file);
  }

  say(fact: object): void {
    writeSync(this.#file, `${JSON.stringify(fact)}\n`);
  }
}

export interface Failure {
  readonly applied: Applied;
  readonly code: string;
  readonly message: string;
  /** Nothing that a cluster in trouble may answer. */
  readonly isBug: boolean;
}

/** What a caller may meet while nodes die: the rest is a mistake, ours or the cluster's. */
const fair = new Set([
  ...["QUORUM_UNAVAILABLE", "SESSION_NOT_SATISFIED", "OVERLOADED", "NOT_READY", "HINTS_FULL"],
  ...["DISK_FULL", "WRITE_TIMEOUT", "READ_TIMEOUT", "CONNECTION_LOST", "NO_ENDPOINT"],
  ...["TOO_MANY_SIBLINGS", "CONFLICT", "LOG_FAILED", "IO", "TLS_FAILED"],
]);

function failureOf(error: unknown): Failure {
  const { code, applied, message } = error as Partial<Failure>;
  const isFair = code !== undefined && applied !== undefined && fair.has(code);
  return {
    applied: applied ?? "maybe",
    code: code ?? "none",
    message: isFair ? String(message) : String(error instanceof Error ? error.stack : error),
    isBug: !isFair,
  };
}

export interface CallCounts {
  readonly made: number;
  readonly done: number;
  /** By code. */
  readonly failures: Readonly<Record<string, number>>;
  /** The longest time without any call that succeeded. */
  readonly longestGapMs: number;
}

export function countsOf(calls: readonly CallSeen[]): CallCounts {
  const failures: Record<string, number> = {};
  const ends: number[] = [];
  for (const { code, atMs, tookMs } of calls) {
    if (code === undefined) ends.push(atMs + tookMs);
    else failures[code] = (failures[code] ?? 0) + 1;
  }
  ends.sort((a, b) => a - b);
  const gaps = ends.map((at, i) => at - (ends[i - 1] ?? at));
  const longestGapMs = gaps.reduce((longest, gap) => Math.max(longest, gap), 0);
  return { made: calls.length, done: ends.length, failures, longestGapMs };
}

/** An operation that failed is in doubt, unless the cluster said that it is not. */
export function outcomeOf(failure: Failure | undefined): HistoryWrite["outcome"] {
  if (failure === undefined || failure.applied === "yes") return "acked";
  return failure.applied === "no" ? "failed" : "maybe";
}
