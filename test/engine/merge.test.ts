/**
 * Merging and walking over several sources against sorted arrays: every source may block at every
 * move, and keys are chosen to tie in their heads, to be prefixes of each other, and to be empty.
 */
import { describe, expect, test } from "vitest";
import { compare } from "../../native-free-engine/base/bytes.ts";
import {
  atEnd,
  atEntry,
  blocked,
  kindExpiring,
  kindTombstone,
  kindValue,
} from "../../native-free-engine/cursor.ts";
import { Merge } from "../../native-free-engine/merge.ts";
import { isHidden } from "../../native-free-engine/visible.ts";
import { BackwardWalk, ForwardWalk, type Sight, type Walk } from "../../native-free-engine/walk.ts";
import { seed } from "../support/random.ts";
import { ArrayCursor, keyAt, valueAt } from "./array-cursor.ts";
import { type Entry, entry, everything, seeded, text } from "./table-fixture.ts";

type Random = (below: number) => number;

/** Keys over few letters, up to ten bytes: many share their first six. */
function randomKey(random: Random, prefix: string): Uint8Array {
  const letters = Array.from({ length: random(4) === 0 ? random(11) : random(3) }, () => random(3));
  return new Uint8Array([...text(prefix), ...letters.map((letter) => [0, 97, 255][letter]!)]);
}

/** Sources newest first: what an engine that cut its history into that many pieces would hold. */
function randomSources(random: Random, prefix: string): Entry[][] {
  const count = 1 + random(6);
  const sources: Entry[][] = [];
  let sequence = 1;
  for (let i = 0; i < count; i++) {
    const writes = random(12) === 0 ? 0 : random(60);
    const source: Entry[] = [];
    for (let write = 0; write < writes; write++) {
      const kind = [kindTombstone, kindValue, kindValue, kindExpiring][random(4)]!;
      const value = text(`v${sequence}`);
      const expiry = kind === kindExpiring ? 1 + random(100) : 0;
      source.push({ key: randomKey(random, prefix), value, kind, sequence, expiry });
      sequence += 1 + random(5);
    }
    source.sort((a, b) => compare(a.key, b.key) || b.sequence - a.sequence);
    // The oldest source may have been written when no snapshot could tell.
    sources.unshift(i === 0 && random(2) === 0 ? withoutSequences(source) : source);
  }
  return sources;
}

function withoutSequences(source: readonly Entry[]): Entry[] {
  return source
    .filter(({ key }, i) => i === 0 || compare(key, source[i - 1]!.key) !== 0)
    .map((one) => ({ ...one, sequence: 0 }));
}

/** The definition of what a reader sees, key by key. */
function shownBy(sight: Sight, sources: readonly (readonly Entry[])[]): Entry[] {
  const keys = new Map(sources.flat().map(({ key }) => [Buffer.from(key).toString("hex"), key]));
  const shown: Entry[] = [];
  for (const key of [...keys.values()].sort(compare)) {
    for (const source of sources) {
      const versions = source.filter((one) => compare(one.key, key) === 0);
      const newest = versions.find(({ sequence }) => sequence <= sight.sequence);
      if (newest === undefined) continue;
      if (!isHidden(newest.kind, newest.expiry, sight.time)) shown.push(newest);
      break;
    }
  }
  return shown;
}

/** Loads until the walk shows an entry or its end. */
async function settled(walk: Walk): Promise<void> {
  for (let loads = 0; walk.state === blocked; loads++) {
    if (loads === 1000) throw new Error("a walk that is loaded goes on");
    await walk.load();
  }
}

function labelOf(one: Entry): string {
  return `${Buffer.from(one.key).toString("hex")}=${Buffer.from(one.value).toString()}`;
}

async function shownNow(walk: Walk): Promise<string | undefined> {
  await settled(walk);
  if (walk.state === atEnd) return undefined;
  expect(walk.state).toBe(atEntry);
  const { current } = walk;
  return labelOf({ ...entry(keyAt(current)), value: valueAt(current) });
}

/** The rest of a walk, in its order. */
async function rest(walk: Walk): Promise<string[]> {
  const labels: string[] = [];
  for (;;) {
    const label = await shownNow(walk);
    if (label === undefined) return labels;
    labels.push(label);
    walk.next();
  }
}

function cursorsOver(sources: readonly Entry[][], random: Random, skip: number): ArrayCursor[] {
  const blocksOnceIn = [0, 2, 5][random(3)]!;
  return sources.map((source) => new ArrayCursor(source, { skip, random, blocksOnceIn }));
}

const seeds = Array.from({ length: 250 }, (_, i) => seed + i);
const prefixes = ["", "k", "a long beginning"];

test("a merge yields every entry once, by key, of one key the newest source first", () => {
  for (const start of seeds) {
    const random = seeded(start);
    const prefix = prefixes[random(3)]!;
    const sources = randomSources(random, prefix);
    const expected = sources
      .flatMap((source, rank) => source.map((one, i) => ({ one, rank, i })))
      .sort((a, b) => compare(a.one.key, b.one.key) || a.rank - b.rank || a.i - b.i);
    const skip = random(prefix.length + 1);
    const cursors = sources.map(
      (source) => new ArrayCursor(source, { skip, random, blocksOnceIn: 0 }),
    );
    const merge = new Merge(cursors);
    const got: string[] = [];
    for (merge.first(); merge.state === atEntry; merge.next()) {
      const { current } = merge;
      got.push(labelOf({ ...entry(keyAt(current)), value: valueAt(current) }));
    }
    expect(got, `seed ${start}`).toEqual(expected.map(({ one }) => labelOf(one)));
    expect(merge.state).toBe(atEnd);
  }
});

for (const reverse of [false, true]) {
  describe(reverse ? "a backward walk" : "a forward walk", () => {
    /** Seeded sources, a reader of them, and what that reader is to be shown, in order. */
    function scene(start: number) {
      const random = seeded(start);
      const prefix = prefixes[random(3)]!;
      const sources = randomSources(random, prefix);
      const last = Math.max(0, ...sources.flat().map(({ sequence }) => sequence));
      const sequence = random(3) === 0 ? everything : random(last + 2);
      const sight = { sequence, time: random(110) };
      const cursors = cursorsOver(sources, random, random(prefix.length + 1));
      const walk = reverse ? new BackwardWalk(cursors, sight) : new ForwardWalk(cursors, sight);
      const shown = shownBy(sight, sources);
      if (reverse) shown.reverse();
      return { random, prefix, sources, cursors, walk, shown };
    }

    test("shows what the reader may see, one entry a key", async () => {
      for (const start of seeds) {
        const { walk, shown } = scene(start);
        walk.start();
        expect(await rest(walk), `seed ${start}`).toEqual(shown.map(labelOf));
      }
    });

    test("seeks to any key, before, between and behind others, and goes on", async () => {
      for (const start of seeds) {
        const { walk, shown, random, prefix } = scene(start);
        for (let i = 0; i < 12; i++) {
          const key = randomKey(random, prefix);
          // Forward, only seeking to the first key at or after is asked for.
          const orEqual = !reverse || random(2) === 0;
          walk.seek(key, 0, key.length, orEqual);
          const side = (one: Entry) => compare(one.key, key) * (reverse ? -1 : 1);
          const expected = shown.filter((one) => side(one) > 0 || (orEqual && side(one) === 0));
          for (const one of expected.slice(0, random(6))) {
            expect(await shownNow(walk), `seed ${start}`).toBe(labelOf(one));
            walk.next();
          }
          if (random(4) > 0) continue;
          walk.seek(key, 0, key.length, orEqual);
          expect(await rest(walk), `seed ${start}`).toEqual(expected.map(labelOf));
        }
      }
    });

    test("reads each entry once", async () => {
      for (const start of seeds) {
        const { walk, cursors, sources } = scene(start);
        walk.start();
        await rest(walk);
        const moves = cursors.map((cursor) => cursor.moves);
        expect(moves, `seed ${start}`).toEqual(sources.map((source) => source.length + 1));
      }
    });

    test("over sources without entries is at its end", async () => {
      const random = seeded(1);
      const empty = () => new ArrayCursor([], { skip: 0, random, blocksOnceIn: 0 });
      const sight = { sequence: everything, time: 0 };
      const cursors = [empty(), empty()];
      const walk = reverse ? new BackwardWalk(cursors, sight) : new ForwardWalk(cursors, sight);
      walk.start();
      expect(await rest(walk)).toEqual([]);
    });
  });
}
