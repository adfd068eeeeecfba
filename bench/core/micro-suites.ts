/**
 * The engine's hot leaves, one by one, on data of the usual shape: keys of 16 digits, values of 100
 * bytes, blocks of 4 KiB. Each call of a case does a thousand operations (or one on a large
 * block), because a nanosecond is less than the cost of calling.
 */
import { checksum, hash32, loadHash } from "../../native-free-engine/base/hash.ts";
import { kindValue } from "../../native-free-engine/cursor.ts";
import { readRecord, recordHeaderBytes, sealRecord } from "../../native-free-engine/log/record.ts";
import { Memtable } from "../../native-free-engine/memtable.ts";
import { searchBlock } from "../../native-free-engine/table/block.ts";
import { BlockBuilder } from "../../native-free-engine/table/block-builder.ts";
import {
  buildFilter,
  loadFilterPackage,
  mayContain,
} from "../../native-free-engine/table/filter.ts";
import { emptyFound } from "../../native-free-engine/table/found.ts";
import { keyOf, missingKeyOf, scattered, Values } from "../keys.ts";
import type { MicroCase, MicroSuite } from "../suite.ts";

const seed = 7;
const unit = 1000;
const newest = Number.MAX_SAFE_INTEGER;
const found = emptyFound();

export const microSuites: readonly MicroSuite[] = [
  { name: "block-search", prepare: blockSearch },
  { name: "filter", prepare: filterProbe },
  { name: "memtable", prepare: memtable },
  { name: "record", prepare: recordCodec },
  { name: "checksum", prepare: checksums },
];

/** What `run` computes goes here, so that no compiler drops the work. */
const sink = new Float64Array(1);

/** A Buffer and a Uint8Array at one place make V8 slower; the engine has only the latter there. */
function plain(key: Buffer): Uint8Array {
  return Uint8Array.from(key);
}

function hashOf(key: Uint8Array): number {
  return hash32(key, 0, key.length, seed);
}

function many(name: string, run: (i: number) => number): MicroCase {
  return {
    name,
    unit,
    run: () => {
      let sum = 0;
      for (let i = 0; i < unit; i++) sum += run(i);
      sink[0]! += sum;
    },
  };
}

function blockSearch(): MicroCase[] {
  const blocks = 20_000;
  const entries = 32;
  const values = new Values(100);
  const bytes = new Uint8Array(blocks * 4096);
  const ends = new Int32Array(blocks);
  const builder = new BlockBuilder(4096 - 8);
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < entries; i++) {
      const key = plain(keyOf(block * entries + i));
      const value = values.of(i);
      const shared = builder.sharedWithLast(key, 0, 16);
      builder.add(key, 0, 16, shared, value, 0, 100, kindValue, 0, 0, hashOf(key) >>> 24);
    }
    ends[block] = builder.encode(bytes, block * 4096);
  }
  const keys = Array.from({ length: unit }, (_, i) => scattered(i, blocks * entries));
  const present = keys.map((index) => plain(keyOf(index)));
  const missing = keys.map((index) => plain(missingKeyOf(index)));
  const search = (block: number, key: Uint8Array): number =>
    searchBlock(bytes, block * 4096, ends[block]!, key, 0, 16, hashOf(key), newest, found);
  let turn = 0;
  return [
    many("hit in a hot block", (i) => search(0, present[i & 31]!)),
    many("hit, another block each time", (i) => search((keys[i]! / entries) | 0, present[i]!)),
    many("miss, another block each time", (i) => search((keys[i]! / entries) | 0, missing[i]!)),
    many("miss in a cold block", (i) => {
      turn = (turn + 7919) % blocks;
      return search(turn, missing[i]!);
    }),
  ];
}

async function filterProbe(): Promise<MicroCase[]> {
  await loadFilterPackage();
  const keys = 250_000;
  const hashes = Int32Array.from({ length: keys }, (_, i) => hashOf(plain(keyOf(i))));
  const { bits, bitCount, probes } = buildFilter(hashes, keys, seed);
  const present = Int32Array.from({ length: unit }, (_, i) => hashes[scattered(i, keys)]!);
  const absent = Int32Array.from({ length: unit }, (_, i) => hashOf(plain(missingKeyOf(i))));
  const probe = (hash: number): number => (mayContain(bits, bitCount, probes, hash) ? 1 : 0);
  return [
    many("probe of a present key", (i) => probe(present[i]!)),
    many("probe of an absent key", (i) => probe(absent[i]!)),
    {
      name: "build, a key",
      unit: keys,
      run: () => {
        sink[0]! += buildFilter(hashes, keys, seed).bits[0]!;
      },
    },
  ];
}

function memtable(): MicroCase[] {
  const bytesMax = 16 << 20;
  const entries = 64_000;
  const values = new Values(100);
  const keys = Array.from({ length: entries }, (_, i) => plain(keyOf(scattered(i, 1e6))));
  const value = plain(values.of(1));
  const options = {
    ...{ logNumber: 1, firstSequence: 0, previous: { number: 0, end: 0 } },
    ...{ hashSeed: seed, bytesMax, full: true },
  };
  const fill = (into: Memtable): Memtable => {
    into.beginRecord();
    for (const key of keys) into.index(into.encode(kindValue, key, value, 0));
    return into;
  };
  const filled = fill(new Memtable(options));
  // Filled as the engine does it: over and over in the same memory.
  let spare = new Memtable(options);
  const absent = Array.from({ length: unit }, (_, i) => plain(missingKeyOf(i)));
  const find = (key: Uint8Array): number =>
    filled.find(key, 16, hashOf(key), filled.end, found) ? 1 : 0;
  return [
    {
      name: "insert",
      unit: entries,
      run: () => {
        spare = fill(new Memtable({ ...options, buffers: spare.giveBuffers() }));
        sink[0]! += spare.keyCount;
      },
    },
    many("find a present key", (i) => find(keys[(i * 61) % entries]!)),
    many("find an absent key", (i) => find(absent[i]!)),
  ];
}

async function recordCodec(): Promise<MicroCase[]> {
  await loadHash();
  const sizes = [
    { name: "of one put", payloadBytes: 128 },
    { name: "of 128 puts", payloadBytes: 128 * 128 },
  ];
  return sizes.flatMap(({ name, payloadBytes }) => {
    const bytes = new Uint8Array(recordHeaderBytes + payloadBytes).fill(7);
    const fields = { type: 1, payloadBytes, operations: 1, durableSequence: 0 };
    sealRecord(bytes, 0, 1, fields);
    return [
      many(`seal a record ${name}`, () => {
        sealRecord(bytes, 0, 1, fields);
        return bytes[0]!;
      }),
      many(`read a record ${name}`, () => readRecord(bytes, 0, bytes.length, 1).kind.length),
    ];
  });
}

async function checksums(): Promise<MicroCase[]> {
  await loadHash();
  const bytes = new Uint8Array(1 << 20).fill(7);
  const sizes = [16, 100, 1024, 4096, 65_536];
  return [
    ...sizes.map((size) => many(`${size} B`, () => checksum(bytes, 0, size, seed) & 1)),
    {
      name: "1 MiB",
      unit: 1,
      run: () => {
        sink[0]! += checksum(bytes, 0, 1 << 20, seed);
      },
    },
  ];
}
