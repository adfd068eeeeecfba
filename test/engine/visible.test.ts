/**
 * Retention against the definition of what a reader sees. One key is enough: keys never meet. All
 * small histories are tried with all small sets of snapshots, and then long random lives, in
 * which flushes and compactions follow each other while snapshots come and go.
 */
import { describe, expect, test } from "vitest";
import type { SnapshotMark } from "../../native-free-engine/compaction/job.ts";
import { kindExpiring, kindTombstone, kindValue } from "../../native-free-engine/cursor.ts";
import { isHidden, Retention } from "../../native-free-engine/visible.ts";
import { pick, randomFrom, seed } from "../support/random.ts";

/** A version of the key; `id` stands for its value. */
interface Version {
  readonly id: number;
  readonly kind: number;
  readonly sequence: number;
  readonly expiry: number;
}

/** Sources newest first, each with its versions newest first. */
type Sources = readonly (readonly Version[])[];

/** The definition: the newest admitted version of the newest source that has one, if it lives. */
function seenBy(viewer: SnapshotMark, sources: Sources): number | undefined {
  for (const source of sources) {
    const newest = source.find((version) => version.sequence <= viewer.sequence);
    if (newest === undefined) continue;
    const gone = newest.kind === kindTombstone;
    const expired = newest.kind === kindExpiring && newest.expiry <= viewer.time;
    return gone || expired ? undefined : newest.id;
  }
  return undefined;
}

/** What a job writes for this key. */
function rewrite(
  versions: readonly Version[],
  state: {
    readonly snapshots: readonly SnapshotMark[];
    readonly now: number;
    readonly deeper: boolean;
  },
): Version[] {
  const retention = new Retention(state.snapshots, state.now);
  const kept: Version[] = [];
  for (const version of versions) {
    const { kind, sequence, expiry } = version;
    const verdict = retention.judge(kind, sequence, expiry, state.deeper);
    if (verdict === "drop") continue;
    const stored = { ...version, sequence: retention.storedSequence(sequence) };
    kept.push(verdict === "keep" ? stored : { ...stored, kind: kindTombstone, expiry: 0 });
  }
  return kept;
}

const forms = [
  { kind: kindTombstone, expiry: 0 },
  { kind: kindValue, expiry: 0 },
  { kind: kindExpiring, expiry: 2 },
  { kind: kindExpiring, expiry: 4 },
];
const times = [1, 3, 5];
const everything = Number.MAX_SAFE_INTEGER;

/** All histories of one to three versions, at sequences 10, 20 and 30. */
function histories(): Version[][] {
  const all: Version[][] = [];
  let shorter: Version[][] = [[]];
  for (let length = 1; length <= 3; length++) {
    shorter = shorter.flatMap((older) =>
      forms.map((form) => [{ id: length, sequence: 10 * length, ...form }, ...older]),
    );
    all.push(...shorter);
  }
  return all;
}

/** All sets of up to two snapshots before, at and between those versions. */
function snapshotSets(): SnapshotMark[][] {
  const marks = [3, 7, 10, 15, 20, 30].flatMap((sequence) =>
    times.map((time) => ({ sequence, time })),
  );
  const pairs = marks.flatMap((a, i) => marks.slice(i).map((b) => [a, b]));
  return [[], ...marks.map((mark) => [mark]), ...pairs];
}

const deeperSources: { readonly deeper: boolean; readonly below: readonly Version[] }[] = [
  { deeper: false, below: [] },
  { deeper: true, below: [] },
  { deeper: true, below: [{ id: 9, kind: kindValue, sequence: 5, expiry: 0 }] },
  { deeper: true, below: [{ id: 9, kind: kindExpiring, sequence: 5, expiry: 4 }] },
];

describe("every small history under every small set of snapshots", () => {
  const sets = snapshotSets();
  /** Calls back for each combination: 84 × 190 × 3 × 4 of them. */
  function each(
    visit: (
      versions: readonly Version[],
      state: {
        readonly snapshots: readonly SnapshotMark[];
        readonly now: number;
        readonly deeper: boolean;
      },
      below: readonly Version[],
    ) => void,
  ): void {
    for (const versions of histories()) {
      for (const snapshots of sets) {
        for (const now of times) {
          for (const { deeper, below } of deeperSources) {
            visit(versions, { snapshots, now, deeper }, below);
          }
        }
      }
    }
  }

  test("looks the same to each snapshot, and to everyone who reads from now on", () => {
    each((versions, state, below) => {
      const after = rewrite(versions, state);
      const later = [state.now, state.now + 1, 9].map((time) => ({ sequence: everything, time }));
      for (const viewer of [...state.snapshots, ...later]) {
        const expected = seenBy(viewer, [versions, below]);
        if (seenBy(viewer, [after, below]) === expected) continue;
        throw new Error(JSON.stringify({ versions, state, below, viewer, expected, after }));
      }
    });
  });

  test("keeps at most one version between two snapshots, and stores them newest first", () => {
    each((versions, state) => {
      const after = rewrite(versions, state);
      const stripes = after.map(
        ({ sequence }) => state.snapshots.filter((mark) => mark.sequence < sequence).length,
      );
      const falls = stripes.every((stripe, i) => i === 0 || stripe < stripes[i - 1]!);
      const sorted = after.every(({ sequence }, i) => i === 0 || sequence < after[i - 1]!.sequence);
      if (!falls || !sorted) throw new Error(JSON.stringify({ versions, state, after }));
    });
  });

  test("stores a sequence only where a live snapshot is below it", () => {
    each((versions, state) => {
      const oldest = state.snapshots[0]?.sequence ?? everything;
      for (const { sequence } of rewrite(versions, state)) {
        if (sequence === 0 || sequence > oldest) continue;
        throw new Error(JSON.stringify({ versions, state, sequence }));
      }
    });
  });

  test("leaves nothing dead at the bottom when there are no snapshots", () => {
    each((versions, state) => {
      if (state.deeper || state.snapshots.length > 0) return;
      const { kind, expiry } = versions[0]!;
      const lives = !isHidden(kind, expiry, state.now);
      expect(rewrite(versions, state).length, JSON.stringify(versions)).toBe(lives ? 1 : 0);
    });
  });
});

test("the key looks the same to all viewers throughout 300 long lives", () => {
  for (let start = seed; start < seed + 300; start++) {
    const life = new Life(randomFrom(start));
    for (let step = 0; step < 120; step++) {
      life.step();
      expect(life.mistakes(), `seed ${start}, step ${step}`).toEqual([]);
    }
  }
});

/** An engine of one key: a memtable, flushed tables, and snapshots that come and go. */
class Life {
  readonly #random: () => number;
  /** All that was ever written, newest first: the truth. */
  #written: Version[] = [];
  /** The first is the memtable, the others are tables; newest first. */
  #sources: Version[][] = [[]];
  #snapshots: SnapshotMark[] = [];
  #sequence = 1;
  #now = 1;

  constructor(random: () => number) {
    this.#random = random;
  }

  step(): void {
    const random = this.#random;
    this.#now += pick(random, 2);
    const dice = pick(random, 10);
    if (dice < 4) this.#write();
    else if (dice < 6) this.#snapshots.push({ sequence: this.#sequence, time: this.#now });
    else if (dice < 7) this.#snapshots.splice(pick(random, this.#snapshots.length + 1), 1);
    else if (dice < 8) this.#job(0, 1);
    else this.#compact();
  }

  /** Viewers to whom the sources look other than the truth. */
  mistakes(): unknown[] {
    const now = { sequence: this.#sequence, time: this.#now };
    return [...this.#snapshots, now].filter(
      (viewer) => seenBy(viewer, this.#sources) !== seenBy(viewer, [this.#written]),
    );
  }

  #write(): void {
    const random = this.#random;
    this.#sequence += 1 + pick(random, 3);
    const kind = [kindTombstone, kindValue, kindExpiring][pick(random, 3)]!;
    const expiry = kind === kindExpiring ? this.#now + 1 + pick(random, 20) : 0;
    const version = { id: this.#sequence, kind, sequence: this.#sequence, expiry };
    this.#written = [version, ...this.#written];
    this.#sources[0] = [version, ...this.#sources[0]!];
  }

  /** Merges some neighbouring tables. */
  #compact(): void {
    const tables = this.#sources.length - 1;
    if (tables < 1) return;
    const from = 1 + pick(this.#random, tables);
    this.#job(from, from + 1 + pick(this.#random, tables - from + 1));
  }

  /** Rewrites sources [from, to) into one. */
  #job(from: number, to: number): void {
    const isFlush = from === 0;
    const deeper = isFlush || this.#sources.slice(to).some((source) => source.length > 0);
    const inputs = this.#sources.slice(from, to).flat();
    const state = { snapshots: this.#snapshots, now: this.#now, deeper };
    this.#sources.splice(from, to - from, rewrite(inputs, state));
    if (isFlush) this.#sources.unshift([]);
  }
}

describe("an entry", () => {
  test("is hidden from the instant of its expiry on", () => {
    expect(isHidden(kindExpiring, 100, 99)).toBe(false);
    expect(isHidden(kindExpiring, 100, 100)).toBe(true);
    expect(isHidden(kindExpiring, 100, 101)).toBe(true);
  });

  test("without an expiry is hidden only if it is a tombstone", () => {
    expect(isHidden(kindValue, 0, everything)).toBe(false);
    expect(isHidden(kindTombstone, 0, 0)).toBe(true);
  });
});
