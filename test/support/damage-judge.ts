/**
 * What a damaged database may say: the truth, or an error that names file and offset. Everything
 * is read in every way there is, and one finding is returned for each broken promise.
 */
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { LsmEngine } from "../../native-free-engine/engine.ts";
import { type EngineError, isEngineError } from "../../native-free-engine/errors.ts";
import { parseName } from "../../native-free-engine/files.ts";
import { verifyOn } from "../../native-free-engine/verify.ts";
import { type Contents, type LogRecord, pairsOf, type Sample } from "./damage-samples.ts";
import { directory, openStill } from "./still-world.ts";

/** One file of a sample with other bytes in it. */
export interface Damage {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** The first byte that is not what it was, and the first behind it that is again. */
  readonly from: number;
  readonly to: number;
}

/** Opens the damaged database and reads all of it; a reader verifies it, too. */
export async function judge(
  sample: Sample,
  records: readonly LogRecord[],
  damage: Damage,
  how: { readonly readOnly: boolean },
): Promise<readonly string[]> {
  const disk = sample.disk.clone();
  disk.replace(`${directory}/${damage.file}`, damage.bytes);
  const findings: string[] = [];
  const allowed = allowedContents(sample, records, damage);
  const isContent = how.readOnly && (await verify(disk, damage, findings));
  let engine: LsmEngine;
  try {
    const options = { memtableBytes: 1 << 16, cacheBytes: 1 << 16, ...how };
    engine = await openStill(disk, options);
  } catch (error) {
    findings.push(...unnamed("open", error));
    if (isContent) findings.push("opening fails, and verify is content");
    return findings;
  }
  const answers = await readAll(engine, sample.keys, findings);
  const wrong = allowed.map((contents) => differences(contents, answers));
  if (!wrong.some((list) => list.length === 0)) findings.push(...(wrong[0] ?? []));
  if (answers.failed && isContent) findings.push("reading fails, and verify is content");
  return findings;
}

/** Whether verifying finds nothing. What it finds must have a place, and damage to tables. */
async function verify(disk: MemoryDisk, damage: Damage, findings: string[]): Promise<boolean> {
  const report = await verifyOn(disk, directory);
  for (const { file, offset, what } of report.problems) {
    if (!isPlace(file, offset, what)) findings.push(`verify: no place in ${file}: ${what}`);
  }
  if (parseName(damage.file).kind === "table" && report.problems[0]?.file !== damage.file) {
    findings.push("verify does not name the damaged table");
  }
  return report.ok;
}

/** The whole contents, and where the newest logs may end early, what was before the damage. */
function allowedContents(
  sample: Sample,
  records: readonly LogRecord[],
  damage: Damage,
): readonly Contents[] {
  const { states } = sample;
  const full = states.at(-1) ?? new Map();
  if (sample.isClosed || parseName(damage.file).kind !== "log") return [full];
  const own = records.filter(({ file }) => file === damage.file);
  const isHit = (record: LogRecord) =>
    record.file === damage.file && record.next > damage.from && record.start < damage.to;
  const hitsHeader = damage.from < (own[0]?.start ?? 0);
  const first = hitsHeader ? own[0] : records.find(isHit);
  if (first === undefined) return [full];
  const place = first.firstSequence + (hitsHeader ? 0 : first.start);
  const witnesses = records.filter((record) => !isHit(record));
  const proven = Math.max(0, ...witnesses.map(({ durableSequence }) => durableSequence));
  if (proven > place) return [full];
  return [full, states[states.length - 1 - first.writesFrom] ?? full];
}

interface Answers {
  readonly values: ReadonlyMap<string, string | undefined>;
  /** What each direction showed before it ended or failed. */
  readonly scans: readonly {
    readonly reverse: boolean;
    readonly ended: boolean;
    pairs: string[];
  }[];
  readonly failed: boolean;
}

async function readAll(
  engine: LsmEngine,
  keys: readonly string[],
  findings: string[],
): Promise<Answers> {
  const values = new Map<string, string | undefined>();
  let failed = false;
  const refused = (what: string, error: unknown): void => {
    failed = true;
    findings.push(...unnamed(what, error));
  };
  for (const [i, key] of keys.entries()) {
    try {
      const value = i % 2 === 0 ? engine.getSync(key) : await engine.get(key);
      values.set(key, value === undefined ? undefined : text(value));
    } catch (error) {
      refused(`get ${key}`, error);
    }
  }
  const scans: { reverse: boolean; ended: boolean; pairs: string[] }[] = [];
  for (const reverse of [false, true]) {
    const pairs: string[] = [];
    const scan = engine.scan({ reverse });
    let ended = false;
    try {
      while (!ended) {
        const chunk = await scan.nextMany(50);
        for (const [key, value] of chunk) pairs.push(`${text(key)}=${text(value)}`);
        ended = chunk.length === 0;
      }
    } catch (error) {
      refused(reverse ? "scan backwards" : "scan", error);
    }
    await scan.close();
    scans.push({ reverse, ended, pairs });
  }
  return { values, scans, failed };
}

function differences(contents: Contents, answers: Answers): readonly string[] {
  const wrong: string[] = [];
  for (const [key, value] of answers.values) {
    if (value !== contents.get(key)) wrong.push(`get ${key}: ${value} for ${contents.get(key)}`);
  }
  const pairs = linesOf(contents);
  for (const { reverse, ended, pairs: shown } of answers.scans) {
    const all = reverse ? pairs.toReversed() : pairs;
    const expected = ended ? all : all.slice(0, shown.length);
    if (shown.join("\n") !== expected.join("\n")) wrong.push(`scan, reverse ${reverse}: differs`);
  }
  return wrong;
}

const known = new WeakMap<Contents, readonly string[]>();

/** In key order. Made once: a sample is judged by the same contents thousands of times. */
function linesOf(contents: Contents): readonly string[] {
  const lines = known.get(contents) ?? pairsOf(contents).map(([key, value]) => `${key}=${value}`);
  known.set(contents, lines);
  return lines;
}

/** Findings about an error that is not damage with a place. */
function unnamed(what: string, error: unknown): readonly string[] {
  if (!isEngineError(error, "CORRUPTION")) return [`${what}: ${String(error)}`];
  const { place, message } = error as EngineError;
  if (place !== undefined && isPlace(place.file, place.offset, message)) return [];
  return [`${what}: no place in ${message}`];
}

/** A bare name of a database's file, and an offset in it unless the file is gone. */
function isPlace(file: string, offset: number | undefined, what: string): boolean {
  const { kind } = parseName(file);
  const isFile = kind === "table" || kind === "log" || kind === "manifest" || kind === "current";
  return isFile && (offset !== undefined || what.includes("missing"));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
