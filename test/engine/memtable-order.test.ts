/**
 * The order of a memtable's keys under writes: cursors of many instants, both ways, moved in turn
 * with puts, against a sorted list. Enough keys that buckets are cut while cursors stand in them.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { loadHash } from "../../native-free-engine/base/hash.ts";
import { atEntry, kindValue } from "../../native-free-engine/cursor.ts";
import { Memtable } from "../../native-free-engine/memtable.ts";
import { MemtableCursor } from "../../native-free-engine/memtable-cursor.ts";
import { boundOf } from "../../native-free-engine/write.ts";
import { pick, randomBytes, randomFrom, seed } from "../support/random.ts";

beforeAll(loadHash);

type Random = () => number;
type KeyMaker = (random: Random, i: number) => Uint8Array;

/** Each shape is hard on something: splitters, heads, what all keys share, or ties. */
const shapes: Readonly<Record<string, KeyMaker>> = {
  "random bytes": (random) => randomBytes(random, pick(random, 9)),
  "ascending digits": (_, i) => Buffer.from(String(i).padStart(16, "0")),
  "descending digits": (_, i) => Buffer.from(String(1e6 - i).padStart(16, "0")),
  "one long prefix, then a stranger": (random, i) =>
    Buffer.from(i === 2500 ? "a" : `users/by-name/${pick(random, 1e5)}`),
  "two prefixes in turn": (random, i) =>
    Buffer.from(`${i % 2 === 0 ? "left" : "right"}-with-a-long-middle-${pick(random, 1e5)}`),
  "keys that begin each other": (random) => Buffer.alloc(pick(random, 3000), 0),
};

class Written {
  readonly memtable = new Memtable({
    logNumber: 3,
    firstSequence: 1024,
    previous: { number: 0, end: 0 },
    hashSeed: 7,
    bytesMax: 64 << 20,
    full: false,
  });
  readonly #newest = new Map<string, number>();

  put(key: Uint8Array): void {
    const { memtable } = this;
    if (!memtable.fits(boundOf(kindValue, key, "v"))) throw new Error("the memtable is full");
    const record = memtable.beginRecord();
    const at = memtable.encode(kindValue, key, "v", 0);
    memtable.index(at);
    memtable.endRecord(record);
    this.#newest.set(hexOf(key), memtable.firstSequence + at);
  }

  /** Keys and sequences of now, in order. */
  now(): [string, number][] {
    return [...this.#newest].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function hexOf(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}

function shown(cursor: MemtableCursor): [string, number] | undefined {
  if (cursor.state !== atEntry) return undefined;
  const { bytes, suffixAt, suffixLength, sequence } = cursor;
  return [hexOf(bytes.slice(suffixAt, suffixAt + suffixLength)), sequence];
}

/** A cursor of an instant beside the list it must agree with, at the same position. */
class Watched {
  readonly #list: readonly [string, number][];
  readonly #cursor: MemtableCursor;
  #at = -1;

  constructor(written: Written) {
    this.#list = written.now();
    const { memtable } = written;
    this.#cursor = new MemtableCursor(memtable, { limit: memtable.end, skip: 0 });
  }

  move(random: Random, key: Uint8Array): void {
    const draw = pick(random, 20);
    if (draw === 0) this.#to(0, () => this.#cursor.first());
    else if (draw === 1) this.#to(this.#list.length - 1, () => this.#cursor.last());
    else if (draw === 2 || this.#at < 0) this.#seek(key, pick(random, 3));
    else this.#run(draw % 2 === 0 ? 1 : -1, pick(random, 400));
    expect(shown(this.#cursor)).toEqual(this.#list[this.#at]);
  }

  #seek(key: Uint8Array, way: number): void {
    const hex = hexOf(key);
    const above = this.#list.findIndex(([other]) => (way === 1 ? other > hex : other >= hex));
    const count = above < 0 ? this.#list.length : above;
    if (way === 2) this.#to(count, () => this.#cursor.seek(key, 0, key.length));
    else this.#to(count - 1, () => this.#cursor.seekBelow(key, 0, key.length, way === 1));
  }

  #run(step: number, steps: number): void {
    for (let i = 0; i < steps && this.#at >= 0; i++) {
      this.#to(this.#at + step, () => (step > 0 ? this.#cursor.next() : this.#cursor.previous()));
      if (shown(this.#cursor)?.[0] !== this.#list[this.#at]?.[0]) return;
    }
  }

  #to(at: number, move: () => void): void {
    move();
    this.#at = at < this.#list.length ? at : -1;
  }
}

describe("the order of a memtable", () => {
  for (const [name, keyOf] of Object.entries(shapes)) {
    test(`holds for cursors of any instant between puts: ${name} (seed ${seed})`, () => {
      const random = randomFrom(seed);
      const written = new Written();
      const cursors: Watched[] = [];
      const keys: Uint8Array[] = [];
      for (let i = 0; keys.length < 5000; ) {
        for (let burst = pick(random, 2) === 0 ? 1 : pick(random, 300); burst > 0; burst--) {
          const again = pick(random, 8) === 0 ? keys[pick(random, keys.length)] : undefined;
          const key = again ?? keyOf(random, i++);
          keys.push(key);
          written.put(key);
        }
        // Somebody else may be half-way through putting it in order.
        if (pick(random, 4) === 0) written.memtable.orderMore(written.memtable.end);
        if (pick(random, 4) === 0) cursors.push(new Watched(written));
        if (cursors.length > 6) cursors.splice(pick(random, cursors.length), 1);
        for (const cursor of cursors) cursor.move(random, keyOf(random, pick(random, 5000)));
      }
    });
  }

  test("is whole after a first look at many keys, from both ends", () => {
    const random = randomFrom(seed + 1);
    const written = new Written();
    for (let i = 0; i < 20_000; i++) written.put(randomBytes(random, 6));
    const limits = { limit: written.memtable.end, skip: 0 };
    const forward: unknown[] = [];
    const backward: unknown[] = [];
    const up = new MemtableCursor(written.memtable, limits);
    for (up.first(); up.state === atEntry; up.next()) forward.push(shown(up));
    const down = new MemtableCursor(written.memtable, limits);
    for (down.last(); down.state === atEntry; down.previous()) backward.push(shown(down));
    expect(forward).toEqual(written.now());
    expect(backward.reverse()).toEqual(forward);
  });

  for (const [name, keyOf] of Object.entries(shapes)) {
    test(`is the same when it is made in slices between puts: ${name}`, () => {
      const random = randomFrom(seed + 3);
      const written = new Written();
      for (let i = 0; i < 12_000; i++) written.put(keyOf(random, i));
      const limit = written.memtable.end;
      const expected = written.now();
      let slices = 1;
      for (; !written.memtable.orderMore(limit); slices++) {
        for (let i = 0; i < 100; i++) written.put(keyOf(random, 12_000 + 100 * slices + i));
      }
      const distinct = written.memtable.keyCount;
      expect(slices).toBeGreaterThanOrEqual(Math.floor(Math.min(expected.length, distinct) / 1024));
      const shownKeys: unknown[] = [];
      const cursor = new MemtableCursor(written.memtable, { limit, skip: 0 });
      for (cursor.first(); cursor.state === atEntry; cursor.next()) shownKeys.push(shown(cursor));
      expect(shownKeys).toEqual(expected);
    });
  }

  for (const [name, keyOf] of Object.entries(shapes)) {
    test(`is whole for an instant long before most keys: ${name}`, () => {
      for (const early of [1, 700]) {
        const random = randomFrom(seed + 4);
        const written = new Written();
        for (let i = 0; i < early; i++) written.put(keyOf(random, i));
        const limits = { limit: written.memtable.end, skip: 0 };
        const expected = written.now();
        for (let i = early; i < 6000; i++) written.put(keyOf(random, i));
        const cursor = new MemtableCursor(written.memtable, limits);
        const forward: unknown[] = [];
        for (cursor.first(); cursor.state === atEntry; cursor.next()) forward.push(shown(cursor));
        expect(forward).toEqual(expected);
        const backward: unknown[] = [];
        for (cursor.last(); cursor.state === atEntry; cursor.previous())
          backward.push(shown(cursor));
        expect(backward.reverse()).toEqual(expected);
      }
    });
  }

  test("tells what share of the keys lies between two", () => {
    const random = randomFrom(seed + 2);
    const written = new Written();
    const hex = new Set<string>();
    for (let i = 0; i < 8000; i++) {
      const key = randomBytes(random, 4);
      written.put(key);
      hex.add(hexOf(key));
    }
    const cursor = new MemtableCursor(written.memtable, { limit: written.memtable.end, skip: 0 });
    for (let i = 0; i < 50; i++) {
      const [low, high] = [randomBytes(random, 4), randomBytes(random, 4)];
      const within = [...hex].filter((key) => key >= hexOf(low) && key < hexOf(high)).length;
      expect(cursor.shareWithin(low, high)).toBe(within / hex.size);
      const from = [...hex].filter((key) => key >= hexOf(low)).length;
      expect(cursor.shareWithin(low, undefined)).toBe(from / hex.size);
    }
  });
});
