/**
 * Every decoder of bytes from a disk, on mutated real files, half of them with right checksums: a
 * result or a coded error that names the file. A whole database with one such file in it, which is
 * also what a checkpoint is, is verified, opened and read.
 */
import { hash32, loadHash } from "../../native-free-engine/base/hash.ts";
import { currentContent, parseCurrent } from "../../native-free-engine/current.ts";
import { decodeLockRecord, encodeLockRecord } from "../../native-free-engine/disk/lock-record.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { corruption, isEngineError } from "../../native-free-engine/errors.ts";
import { parseName } from "../../native-free-engine/files.ts";
import { describeRecords } from "../../native-free-engine/inspect-records.ts";
import { describeTableFile } from "../../native-free-engine/inspect-table.ts";
import { forEachOperation } from "../../native-free-engine/log/operation.ts";
import { replayLogs } from "../../native-free-engine/log/replay.ts";
import { readManifest } from "../../native-free-engine/manifest.ts";
import { decodeEdit, decodeState, parsePayload } from "../../native-free-engine/manifest-json.ts";
import { Memtable } from "../../native-free-engine/memtable.ts";
import { readLog } from "../../native-free-engine/salvage-log.ts";
import { damaged, entriesAt, searchBlock } from "../../native-free-engine/table/block.ts";
import { BlockColumns } from "../../native-free-engine/table/block-columns.ts";
import { codecNone, trailerBytes } from "../../native-free-engine/table/format.ts";
import { emptyFound, present } from "../../native-free-engine/table/found.ts";
import { decodeProperties } from "../../native-free-engine/table/properties.ts";
import { decodeWholeTable } from "../../native-free-engine/table/tail.ts";
import { verifyOn } from "../../native-free-engine/verify.ts";
import { buildSample, filesOf, type SampleFile } from "../support/damage-samples.ts";
import { isCoded, sealRecords, sealTail } from "../support/fuzz.ts";
import { pick } from "../support/random.ts";
import { directory, hashSeed, openStill } from "../support/still-world.ts";
import { mutateSample, type Sample } from "./bytes-mutator.ts";
import { textTrial } from "./context-decoders.ts";
import { fieldsOfBlock, fieldsOfRecords, fieldsOfTable } from "./engine-fields.ts";
import { mutateText } from "./text-mutator.ts";
import type { Decoder, Draw } from "./trial.ts";
import { trialOf } from "./wire-decoders.ts";

export const engineDecoders: readonly Decoder[] = [
  { name: "logs", perMillion: 6_000, prepare: () => drawFiles("log", judgeLog) },
  { name: "manifests", perMillion: 6_000, prepare: () => drawFiles("manifest", judgeManifest) },
  { name: "tables", perMillion: 6_000, prepare: () => drawFiles("table", judgeTable) },
  { name: "blocks", perMillion: 40_000, prepare: drawBlocks },
  { name: "checkpoints", perMillion: 150, prepare: drawDatabases },
  { name: "small-files", perMillion: 20_000, prepare: drawTexts },
];

async function sampleDisk(): Promise<MemoryDisk> {
  await loadHash();
  const shape = { name: "killed", closes: false, syncs: "often", logs: true } as const;
  return (await buildSample(shape)).disk;
}

type Judge = (bytes: Uint8Array, file: SampleFile) => void;

async function drawFiles(kind: "log" | "manifest" | "table", judge: Judge): Promise<Draw> {
  const files = filesOf(await sampleDisk()).filter((file) => file.kind === kind);
  const samples = files.map(({ bytes }): Sample => {
    return { bytes, fields: kind === "table" ? fieldsOfTable(bytes) : fieldsOfRecords(bytes) };
  });
  return (random) => {
    const at = pick(random, files.length);
    const file = files[at];
    const sample = samples[at];
    if (file === undefined || sample === undefined) throw new Error(`the sample has no ${kind}`);
    // The file's own sample is the likeliest: parts of others come in as stretches of them.
    const bytes = mutateSample(random, random() < 0.8 ? [sample] : samples);
    if (random() < 0.5) sealFile(bytes, file);
    return trialOf(bytes, () => takenUnlessCoded(() => judge(bytes, file)));
  };
}

/** Makes its checksums right, so that what stands behind them is put to the test. */
function sealFile(bytes: Uint8Array, { kind, number }: SampleFile): void {
  if (kind === "table") sealTail(bytes, number);
  else if (kind === "log" || kind === "manifest") sealRecords(bytes, number);
}

function takenUnlessCoded(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (isCoded(error)) return false;
    throw error;
  }
}

function judgeLog(bytes: Uint8Array, { number }: SampleFile): void {
  const disk = diskWith(`${String(number).padStart(6, "0")}.log`, bytes);
  const options = { numbers: [number], oldestNeeded: number, sealed: [], nextSequence: 64 };
  try {
    const replay = replayLogs({ disk, directory, ...options });
    for (const log of replay.logs) {
      const shape = { logNumber: number, firstSequence: log.firstSequence, hashSeed };
      const memtable = Memtable.adopt(shape, log);
      let operations = 0;
      forEachOperation(log.arena, log.end, () => {
        operations += 1;
      });
      if (operations !== log.operations) throw new Error(`${operations} operations were found`);
      if (memtable.keyCount > operations) throw new Error(`${memtable.keyCount} keys`);
    }
  } finally {
    const salvaged = readLog(disk, directory, { number, nextSequence: 64, end: 0 });
    if (salvaged.operations > 0) salvaged.memtable(hashSeed);
    describeRecords(bytes, { kind: "log", name: "000001.log", number }, 100);
  }
}

function judgeManifest(bytes: Uint8Array, { file, number }: SampleFile): void {
  describeRecords(bytes, { kind: "manifest", name: file, number }, 100);
  const found = readManifest({ disk: diskWith(file, bytes), directory, number });
  if (found.kind === "damaged") throw corruption(found.place, found.what);
}

function judgeTable(bytes: Uint8Array, { file, number }: SampleFile): void {
  describeTableFile(bytes, { name: file, number }, 100);
  const { index, offsets } = decodeWholeTable(bytes, { number });
  for (let block = 0; block < index.count; block++) {
    const key = index.key(block);
    const found = index.floor(key, 0, key.length);
    if (!(found < index.count)) throw new Error(`block ${found} of ${index.count}`);
    if (!((offsets[block + 1] ?? 0) > (offsets[block] ?? 0))) throw new Error("blocks overlap");
  }
}

/** Bodies whose checksum was right: all that is between damage and a wrong answer. */
async function drawBlocks(): Promise<Draw> {
  const files = filesOf(await sampleDisk()).filter(({ kind }) => kind === "table");
  const samples = files.flatMap(bodiesOf).map((bytes): Sample => {
    return { bytes, fields: fieldsOfBlock(bytes) };
  });
  const columns = new BlockColumns();
  const found = emptyFound();
  return (random) => {
    const bytes = mutateSample(random, samples);
    const floor = pick(random, 9);
    const key = Buffer.from(`deep/${pick(random, 12)}`);
    return trialOf(bytes, () => {
      const what = columns.decode(bytes, 0, bytes.length, floor);
      if (entriesAt(bytes, 0, bytes.length) === damaged) {
        if (what === undefined) throw new Error("damaged for one reader, whole for another");
        return false;
      }
      const hash = hash32(key, 0, key.length, hashSeed);
      const answer = searchBlock(bytes, 0, bytes.length, key, 0, key.length, hash, 1e15, found);
      if (answer === present && !(found.at + found.length <= bytes.length)) {
        throw new Error(`a value at ${found.at}, ${found.length} bytes long`);
      }
      return what === undefined;
    });
  };
}

async function drawDatabases(): Promise<Draw> {
  const whole = await sampleDisk();
  const files = filesOf(whole).filter(({ kind }) => kind !== "lock");
  const samples = files.map(({ kind, bytes }): Sample => {
    return { bytes, fields: kind === "table" ? fieldsOfTable(bytes) : fieldsOfRecords(bytes) };
  });
  return (random) => {
    const at = pick(random, files.length);
    const file = files[at];
    const sample = samples[at];
    if (file === undefined || sample === undefined) throw new Error("the sample has no files");
    const bytes = mutateSample(random, [sample]);
    if (random() < 0.5) sealFile(bytes, file);
    return {
      bytes: files.reduce((sum, one) => sum + one.bytes.length, 0) + bytes.length,
      judge: () => judgeDatabase(whole, { file: file.file, bytes }),
      show: () => `${file.file}: ${Buffer.from(bytes).toString("hex")}`,
    };
  };
}

async function judgeDatabase(
  whole: MemoryDisk,
  changed: { readonly file: string; readonly bytes: Uint8Array },
): Promise<boolean> {
  const disk = whole.clone();
  disk.replace(`${directory}/${changed.file}`, changed.bytes);
  try {
    const { ok } = await verifyOn(disk, directory);
    const engine = await openStill(disk, { readOnly: true, cacheBytes: 1 << 16 });
    try {
      for await (const [key] of engine.scan()) await engine.get(key);
    } finally {
      await engine.close();
    }
    return ok;
  } catch (error) {
    if (isEngineError(error)) return false;
    throw error;
  }
}

/** Files of one line, and the JSON that stands in records and tails. */
function drawTexts(): Draw {
  const lock = { pid: 5, startTime: "1", bootId: "b", namespace: "n", hostname: "h", since: 7 };
  const table = {
    ...{ level: 1, number: 7, bytes: 4096, entries: 9, tombstones: 1, minSequence: 64 },
    ...{ maxSequence: 900, firstExpiry: 0, smallest: "YQ==", largest: "eg==" },
  };
  const state = {
    ...{ comparator: "bytewise", databaseId: "00".repeat(16), hashSeed: 7, nextFile: 9 },
    ...{ lastSequence: 900, logNumber: 8, sealedLogs: [{ number: 6, end: 640 }], added: [table] },
    ...{ removed: [{ level: 0, number: 3 }], must: [] },
  };
  const properties = {
    ...{ formatVersion: 1, keys: 8, keyBytes: 80, valueBytes: 800, blocks: 2, deflatedBlocks: 0 },
    ...{ ...table, rawBytes: 4000 },
  };
  const texts = [
    currentContent(7),
    encodeLockRecord({ ...lock, nonce: "x" }),
    JSON.stringify(state),
    JSON.stringify(properties),
  ];
  return (random) => {
    const text = mutateText(random, texts);
    return textTrial(text, () => {
      parseName(text);
      const bytes = new Uint8Array(Buffer.from(text, "latin1"));
      const payload = parsePayload(text);
      const fields = payload.kind === "fields" ? payload.fields : new Map<string, unknown>();
      decodeEdit(fields);
      const taken = [
        parseCurrent(text).kind === "ok",
        decodeLockRecord(text) !== undefined,
        typeof decodeState(fields) !== "string",
        typeof decodeProperties(bytes, 0, bytes.length) !== "string",
      ];
      return taken.includes(true);
    });
  };
}

function diskWith(file: string, bytes: Uint8Array): MemoryDisk {
  const disk = new MemoryDisk();
  disk.makeDirectorySync(directory);
  disk.replace(`${directory}/${file}`, bytes);
  return disk;
}

function bodiesOf({ bytes, number }: SampleFile): Uint8Array[] {
  const { offsets } = decodeWholeTable(bytes, { number });
  return [...offsets.slice(0, -1)].flatMap((from, i) => {
    const end = (offsets[i + 1] ?? 0) - trailerBytes;
    return bytes[end] === codecNone ? [bytes.slice(from, end)] : [];
  });
}
