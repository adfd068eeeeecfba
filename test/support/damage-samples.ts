/**
 * Small databases that hold every kind of file there is, closed cleanly or killed, with all the
 * states through which their contents went: what damage to one byte may show, and nothing else.
 */
import { compare } from "../../native-free-engine/base/bytes.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { LsmEngine } from "../../native-free-engine/engine.ts";
import { type NameKind, parseName } from "../../native-free-engine/files.ts";
import {
  fileHeaderBytes,
  logMagic,
  readFileHeader,
  readRecord,
  typeSeal,
} from "../../native-free-engine/log/record.ts";
import { directory, GatedWorkers, openStill } from "./still-world.ts";

/** Keys and values as text: here both are ASCII. */
export type Contents = ReadonlyMap<string, string>;

export interface Sample {
  readonly name: string;
  readonly disk: MemoryDisk;
  /** The contents after each write, from the empty database to the full one. */
  readonly states: readonly Contents[];
  /** Every key that was ever written. */
  readonly keys: readonly string[];
  readonly isClosed: boolean;
}

/** A record of a log: where it stands, and how many writes are in it and behind it. */
export interface LogRecord {
  readonly file: string;
  readonly start: number;
  readonly next: number;
  readonly firstSequence: number;
  readonly durableSequence: number;
  readonly writesFrom: number;
}

export interface SampleShape {
  readonly name: string;
  readonly closes: boolean;
  /** Each third write, only the first that stays in a log, or none. */
  readonly syncs: "often" | "once" | "never";
  /** Whether the last writes are in logs, several of them, or everything is in tables. */
  readonly logs: boolean;
}

/** Every file kind, with several of what there can be several of. */
export async function buildSample(how: SampleShape): Promise<Sample> {
  const disk = new MemoryDisk();
  disk.makeDirectorySync(directory);
  const workers = new GatedWorkers(disk);
  const compression = ["none", "deflate"] as const;
  const engine = await openStill(disk, { compression }, workers);
  const writer = new Writer(engine, how.syncs);
  await writeTables(writer, engine);
  if (how.logs) {
    workers.shut = true;
    await writeLogs(writer);
  }
  const { states, keys } = writer;
  if (how.closes) {
    const closing = engine.close();
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    workers.refuse();
    await closing;
  }
  const left = disk.clone();
  trimLogs(left);
  return { name: how.name, disk: left, states, keys, isClosed: how.closes };
}

/** Tables at several levels: compressed and not, with sequences, tombstones, expiries. */
async function writeTables(writer: Writer, engine: LsmEngine): Promise<void> {
  for (let i = 0; i < 12; i++) await writer.put(`deep/${i}`, `${"lorem ipsum ".repeat(4)}${i}`);
  await engine.compact();
  for (let i = 0; i < 12; i += 2) await writer.put(`deep/${i}`, `second ${i}`);
  const snapshot = engine.snapshot();
  for (let i = 0; i < 12; i += 4) await writer.put(`deep/${i}`, `third ${i}`);
  await writer.delete("deep/3");
  await writer.put("lives", "a while", 60_000);
  await engine.flush();
  await writer.delete("deep/5");
  await writer.put("deep/4", "fourth");
  await writer.put("", "the empty key");
  await engine.flush();
  await snapshot.close();
}

/** Logs: one record of several writes, several records each, and rotated ones. */
async function writeLogs(writer: Writer): Promise<void> {
  for (let i = 0; i < 14; i++) await writer.put(`log/${i}`, `${"x".repeat(60)}${i}`);
  await writer.delete("log/1");
  await writer.delete("deep/7");
  await writer.batch(["both", "of", "these"]);
  await writer.put("brief", "hour", 3_600_000);
  await writer.put("deep/0", "last");
}

class Writer {
  readonly states: Contents[] = [new Map()];
  readonly #engine: LsmEngine;
  readonly #syncs: SampleShape["syncs"];
  readonly #keys = new Set<string>();

  constructor(engine: LsmEngine, syncs: SampleShape["syncs"]) {
    this.#engine = engine;
    this.#syncs = syncs;
  }

  get keys(): readonly string[] {
    return [...this.#keys, "never", "zz"];
  }

  async put(key: string, value: string, ttlMs?: number): Promise<void> {
    const expiring = ttlMs === undefined ? {} : { ttlMs };
    await this.#engine.put(key, value, { sync: this.#sync(), ...expiring });
    this.#note((state) => state.set(key, value), [key]);
  }

  async delete(key: string): Promise<void> {
    await this.#engine.delete(key, { sync: this.#sync() });
    this.#note((state) => state.delete(key), [key]);
  }

  async batch(keys: readonly string[]): Promise<void> {
    const puts = keys.map((key) => ({ type: "put", key, value: `of ${key}` }) as const);
    await this.#engine.batch(puts, { sync: this.#sync() });
    this.#note((state) => {
      for (const key of keys) state.set(key, `of ${key}`);
    }, keys);
  }

  /** Synced writes leave proof of what was durable then. */
  #sync(): boolean {
    if (this.#syncs === "often") return this.states.length % 3 === 0;
    return this.#syncs === "once" && this.states.at(-1)?.get("log/0") === undefined;
  }

  #note(change: (state: Map<string, string>) => void, keys: readonly string[]): void {
    const state = new Map(this.states.at(-1));
    change(state);
    this.states.push(state);
    for (const key of keys) this.#keys.add(key);
  }
}

/** The records of all logs in order. The writes in them are the last that the sample made. */
export function recordsOf(disk: MemoryDisk): readonly LogRecord[] {
  const records: (LogRecord & { readonly isSeal: boolean })[] = [];
  for (const { file, kind, number, bytes } of filesOf(disk)) {
    if (kind !== "log") continue;
    const found = readFileHeader(bytes, bytes.length, { magic: logMagic, number });
    if (found.kind !== "header") throw new Error(`${file}: ${found.kind}`);
    const { firstSequence } = found.header;
    for (let start = fileHeaderBytes; ; ) {
      const record = readRecord(bytes, start, bytes.length, number);
      if (record.kind !== "record") break;
      const { durableSequence, next, type } = record;
      const isSeal = type === typeSeal;
      records.push({ file, start, next, firstSequence, durableSequence, writesFrom: 0, isSeal });
      start = next;
    }
  }
  let writes = 0;
  return records
    .toReversed()
    .map((record) => {
      if (!record.isSeal) writes += 1;
      return { ...record, writesFrom: writes };
    })
    .toReversed();
}

export interface SampleFile {
  readonly file: string;
  readonly kind: NameKind;
  readonly number: number;
  readonly bytes: Uint8Array;
}

export function filesOf(disk: MemoryDisk): readonly SampleFile[] {
  return disk.files().map((path) => {
    const file = path.slice(directory.length + 1);
    return { file, ...parseName(file), bytes: disk.bytesOf(path) };
  });
}

/** Space that was prepared behind the records is long: a little of it is as good. */
function trimLogs(disk: MemoryDisk): void {
  for (const { file, kind, bytes } of filesOf(disk)) {
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    if (kind !== "log" || bytes.length <= end + 64) continue;
    disk.replace(`${directory}/${file}`, bytes.slice(0, Math.ceil(end / 8) * 8 + 64));
  }
}

/** In key order, by bytes. */
export function pairsOf(contents: Contents): readonly (readonly [string, string])[] {
  return [...contents].sort(([a], [b]) => compare(Buffer.from(a), Buffer.from(b)));
}
