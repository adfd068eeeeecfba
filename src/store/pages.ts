/**
 * Reading many keys: pages of a partition, leaves of its tree, keys by their tokens, the next
 * hints for a target. They show what the engine has, in pages bounded in bytes.
 */
import type { Engine, Pair } from "../../native-free-engine/index.ts";
import { digestOf } from "../core/clock/digest.ts";
import { type Floor, stripped } from "../core/clock/floor.ts";
import { isEmpty, type Versions } from "../core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../core/event.ts";
import type { Partition } from "../core/ids.ts";
import { partitionOf } from "../core/key.ts";
import type { Entry, Hash, KeyDigest } from "../core/message.ts";
import type { MerkleTree } from "../core/sync/merkle.ts";
import type { HintCounts } from "./hint-counts.ts";
import {
  copyKey,
  type KeyRange,
  keyIn,
  kindData,
  own,
  rangeOfHints,
  rangeOfPartition,
  rangeOfTokens,
} from "./keyspace.ts";
import { StoreError } from "./outcomes.ts";

type Work<K extends StoreWork["kind"]> = Extract<StoreWork, { kind: K }>;

export interface PagesParts {
  readonly engine: Engine;
  readonly partitions: number;
  readonly hints: HintCounts;
  decode(record: Uint8Array): Versions;
  treeOf(partition: Partition): MerkleTree | undefined;
  floorOf(partition: Partition): Floor;
}

interface Page {
  readonly entries: Entry[];
  bytes: number;
}

/** Entries that are asked of the engine at a time. */
const pairsAtOnce = 64;

export class Pages {
  readonly #parts: PagesParts;

  constructor(parts: PagesParts) {
    this.#parts = parts;
  }

  async list({ partition, after, limit, bytes }: Work<"list">): Promise<StoreOutcome> {
    const { gte, lt } = rangeOfPartition(partition, this.#parts.partitions);
    const range = after === undefined ? { gte, lt } : { gt: copyKey(after, own).slice(), lt };
    const page: Page = { entries: [], bytes: 0 };
    const { round } = this.#parts.floorOf(partition);
    const isEnd = await this.#fill(page, range, { limit, bytes });
    return { kind: "entries", entries: page.entries, isEnd, round };
  }

  async byToken({ partition, tokens, bytes }: Work<"by-token">): Promise<StoreOutcome> {
    const { round } = this.#parts.floorOf(partition);
    const page: Page = { entries: [], bytes: 0 };
    let isEnd = true;
    for (const token of tokens) {
      const room = Math.max(bytes - page.bytes, page.entries.length === 0 ? 1 : 0);
      isEnd = room > 0 && (await this.#fill(page, rangeOfTokens(token, token), { bytes }));
      if (!isEnd) break;
    }
    return { kind: "entries", entries: page.entries, isEnd, round };
  }

  async leaf({ partition, leaves }: Work<"leaf">): Promise<StoreOutcome> {
    const tree = this.#parts.treeOf(partition);
    const digests: KeyDigest[] = [];
    if (tree === undefined) return { kind: "leaf", digests };
    for (const range of rangesOf(tree, leaves)) {
      await this.#each(range, ({ key: { high, low }, versions }) => {
        digests.push({ token: { high, low }, digest: digestOf(versions) });
        return true;
      });
    }
    return { kind: "leaf", digests };
  }

  async hints({ target, bytes }: Work<"read-hints">): Promise<StoreOutcome> {
    const { hints } = this.#parts;
    const range = rangeOfHints(target);
    const foundLowest = hints.lowestFinder(target);
    const page: Page = { entries: [], bytes: 0 };
    const isLast = await this.#fill(
      page,
      { ...range, gte: hints.lowest(target) ?? range.gte },
      { bytes, onFirst: foundLowest },
    );
    return { kind: "hints", entries: page.entries, isLast };
  }

  /** Adds entries until a bound is reached, at least one; true when the range has no more. */
  #fill(
    page: Page,
    range: Partial<KeyRange> & { readonly gt?: Uint8Array },
    bounds: {
      readonly limit?: number;
      readonly bytes: number;
      readonly onFirst?: (engineKey: Uint8Array) => void;
    },
  ): Promise<boolean> {
    const { limit = Number.POSITIVE_INFINITY, bytes, onFirst } = bounds;
    let isFirst = true;
    return this.#each(range, (entry, [engineKey, record]) => {
      if (page.entries.length >= limit) return false;
      if (page.entries.length > 0 && page.bytes >= bytes) return false;
      if (isFirst) onFirst?.(engineKey);
      isFirst = false;
      page.entries.push(entry);
      page.bytes += engineKey.length + record.length;
      return true;
    });
  }

  /** Calls back with each entry until told to stop (false); tells whether it came to the end. */
  async #each(
    range: Partial<KeyRange> & { readonly gt?: Uint8Array },
    onEntry: (entry: Entry, pair: Pair) => boolean,
  ): Promise<boolean> {
    const scan = this.#parts.engine.scan(range);
    try {
      for (;;) {
        const pairs = await scan.nextMany(pairsAtOnce);
        for (const pair of pairs) {
          const entry = this.#entryOf(pair);
          // Of a tombstone below the floor there is nothing left to tell.
          if (!isEmpty(entry.versions) && !onEntry(entry, pair)) return false;
        }
        if (pairs.length < pairsAtOnce) return true;
      }
    } finally {
      await scan.close();
    }
  }

  #entryOf([engineKey, record]: Pair): Entry {
    const { decode, floorOf, partitions } = this.#parts;
    const key = keyIn(engineKey);
    if (key === undefined) {
      throw new StoreError("CORRUPTION", "the engine holds a key that is none of ours");
    }
    const versions = decode(record);
    if (engineKey[0] !== kindData) return { key, versions };
    return { key, versions: stripped(versions, floorOf(partitionOf(key, partitions))) };
  }
}

/** The ranges of keys of these leaves; neighbours are one range. */
export function rangesOf(tree: MerkleTree, leaves: readonly number[]): readonly KeyRange[] {
  const ranges: { first: Hash; last: Hash }[] = [];
  let previous = Number.NaN;
  for (const leaf of [...new Set(leaves)].sort((a, b) => a - b)) {
    const { first, last } = tree.rangeOf(leaf);
    const open = ranges.at(-1);
    if (open !== undefined && leaf === previous + 1) open.last = last;
    else ranges.push({ first, last });
    previous = leaf;
  }
  return ranges.map(({ first, last }) => rangeOfTokens(first, last));
}
