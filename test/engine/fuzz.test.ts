/**
 * Every decoder of bytes from a disk, on mutated real input, half of it with right checksums: a
 * result or a coded error, soon, and without taking memory that the input does not account for.
 * FUZZ_SCALE makes it longer, SEED another one.
 */
import { beforeAll, expect, test } from "vitest";
import { hash32, loadHash } from "../../native-free-engine/base/hash.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { corruption } from "../../native-free-engine/errors.ts";
import { parseName } from "../../native-free-engine/files.ts";
import { describeRecords } from "../../native-free-engine/inspect-records.ts";
import { describeTableFile } from "../../native-free-engine/inspect-table.ts";
import { forEachOperation } from "../../native-free-engine/log/operation.ts";
import { replayLogs } from "../../native-free-engine/log/replay.ts";
import { readManifest } from "../../native-free-engine/manifest.ts";
import { Memtable } from "../../native-free-engine/memtable.ts";
import { readLog } from "../../native-free-engine/salvage-log.ts";
import { damaged, entriesAt, searchBlock } from "../../native-free-engine/table/block.ts";
import { BlockColumns } from "../../native-free-engine/table/block-columns.ts";
import { codecNone, trailerBytes } from "../../native-free-engine/table/format.ts";
import { emptyFound, present } from "../../native-free-engine/table/found.ts";
import { decodeWholeTable } from "../../native-free-engine/table/tail.ts";
import { buildSample, filesOf, type SampleFile } from "../support/damage-samples.ts";
import { isCoded, mutate, sealRecords, sealTail } from "../support/fuzz.ts";
import { pick, randomFrom, seed } from "../support/random.ts";
import { directory, hashSeed } from "../support/still-world.ts";

const scale = Number(process.env["FUZZ_SCALE"] ?? 1);
/** No one input may take longer: they are a few thousand bytes each. */
const msMax = 1000;

let files: readonly SampleFile[] = [];

beforeAll(async () => {
  await loadHash();
  const shape = { name: "killed", closes: false, syncs: "often", logs: true } as const;
  files = filesOf((await buildSample(shape)).disk);
});

test("commit logs", () => {
  fuzz("log", 40_000, (bytes, { number }) => {
    const disk = diskWith(`${String(number).padStart(6, "0")}.log`, bytes);
    const options = { numbers: [number], oldestNeeded: 1, sealed: [], nextSequence: 64 };
    try {
      const replay = replayLogs({ disk, directory, ...options, oldestNeeded: number });
      for (const log of replay.logs) {
        const shape = { logNumber: number, firstSequence: log.firstSequence, hashSeed };
        const memtable = Memtable.adopt(shape, log);
        let operations = 0;
        forEachOperation(log.arena, log.end, () => {
          operations += 1;
        });
        expect(operations).toBe(log.operations);
        expect(memtable.keyCount).toBeLessThanOrEqual(operations);
      }
    } finally {
      const salvaged = readLog(disk, directory, { number, nextSequence: 64, end: 0 });
      if (salvaged.operations > 0) salvaged.memtable(hashSeed);
      describeRecords(bytes, { kind: "log", name: "000001.log", number }, 100);
    }
  });
});

test("manifests", () => {
  fuzz("manifest", 40_000, (bytes, { file, number }) => {
    describeRecords(bytes, { kind: "manifest", name: file, number }, 100);
    const found = readManifest({ disk: diskWith(file, bytes), directory, number });
    if (found.kind === "damaged") throw corruption(found.place, found.what);
  });
});

test("tables", () => {
  fuzz("table", 40_000, (bytes, { file, number }) => {
    describeTableFile(bytes, { name: file, number }, 100);
    const { index, offsets } = decodeWholeTable(bytes, { number });
    for (let block = 0; block < index.count; block++) {
      expect(index.floor(index.key(block), 0, index.key(block).length)).toBeLessThan(index.count);
      expect(offsets[block + 1]).toBeGreaterThan(offsets[block] ?? 0);
    }
  });
});

test("bodies of blocks, whose checksum is right", () => {
  const bodies = files.filter(({ kind }) => kind === "table").flatMap(bodiesOf);
  const random = randomFrom(seed);
  const columns = new BlockColumns();
  const found = emptyFound();
  const inputs = 80_000 * scale;
  for (let i = 0; i < inputs; i++) {
    const bytes = mutate(random, bodies[pick(random, bodies.length)] ?? new Uint8Array(0));
    const context = `SEED=${seed}, input ${i}: ${Buffer.from(bytes).toString("hex")}`;
    const what = columns.decode(bytes, 0, bytes.length, pick(random, 9));
    if (entriesAt(bytes, 0, bytes.length) === damaged) {
      expect(what, context).toBeDefined();
      continue;
    }
    const key = Buffer.from(`deep/${pick(random, 12)}`);
    const hash = hash32(key, 0, key.length, hashSeed);
    const answer = searchBlock(bytes, 0, bytes.length, key, 0, key.length, hash, 1e15, found);
    const ends = found.at + found.length;
    if (answer === present && !(ends <= bytes.length)) expect(ends, context).toBeUndefined();
  }
});

/** Runs the decoder on that many inputs, half of them with right checksums. */
function fuzz(kind: string, count: number, decode: (bytes: Uint8Array, file: SampleFile) => void) {
  const originals = files.filter((file) => file.kind === kind);
  const random = randomFrom(seed);
  const before = process.memoryUsage().arrayBuffers;
  let refused = 0;
  for (let i = 0; i < count * scale; i++) {
    const original = originals[pick(random, originals.length)];
    if (original === undefined) throw new Error(`the sample has no ${kind}`);
    const bytes = mutate(random, original.bytes);
    if (i % 2 === 0) (kind === "table" ? sealTail : sealRecords)(bytes, original.number);
    const began = performance.now();
    try {
      decode(bytes, original);
    } catch (error) {
      refused += 1;
      if (!isCoded(error)) {
        throw new Error(`SEED=${seed}, input ${i} of ${original.file}`, { cause: error });
      }
    }
    const ms = performance.now() - began;
    if (ms > msMax) throw new Error(`SEED=${seed}, input ${i} took ${ms} ms`);
  }
  // Garbage of many small inputs is fine; one buffer of a length that was made up is not.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(512 << 20);
  // Input that nobody refuses would put nothing to the test, and neither would all refused.
  expect(refused).toBeGreaterThan(count / 10);
  expect(refused).toBeLessThan(count * scale);
}

function diskWith(file: string, bytes: Uint8Array): MemoryDisk {
  const disk = new MemoryDisk();
  disk.makeDirectorySync(directory);
  disk.replace(`${directory}/${file}`, bytes);
  expect(parseName(file).kind).not.toBe("other");
  return disk;
}

function bodiesOf({ bytes, number }: SampleFile): Uint8Array[] {
  const { offsets } = decodeWholeTable(bytes, { number });
  return [...offsets.slice(0, -1)].flatMap((from, i) => {
    const end = (offsets[i + 1] ?? 0) - trailerBytes;
    return bytes[end] === codecNone ? [bytes.slice(from, end)] : [];
  });
}
