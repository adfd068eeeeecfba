/**
 * Trades the keys of unequal leaves, a page at a time: lists them on both sides, pulls what the
 * peer has differently and joins it in, then pushes what the peer lacks after that. Which side is
 * older is nobody's guess: the join knows.
 */
import { digestOf, isSameHash } from "../clock/digest.ts";
import type { Millis, Partition } from "../ids.ts";
import { nameOf } from "../key.ts";
import { pageBytesAim } from "../limits.ts";
import type { Entry, Hash } from "../message.ts";
import type { Dialogue } from "./dialogue.ts";
import { differingKeys, tokenName } from "./differences.ts";

export interface TradeParts {
  readonly dialogue: Dialogue;
  readonly leaves: readonly number[];
  /** Pulls nothing: what the peer has differently is pushed as it is here, and joined there. */
  readonly isGiving: boolean;
  partitionOf(entry: Entry): Partition;
  onTraded(
    now: Millis,
    counts: {
      /** Keys pushed to the peer, and keys that were news to this node. */
      readonly sent: number;
      readonly received: number;
    },
  ): void;
}

/** Keys listed at a time: what is done with so many in one turn takes about 1 ms. */
const keysListedAim = 1_024;
/** Keys pulled or pushed at a time; merging takes 10 to 15 us each, and all are in one turn. */
const keysTradedFirst = 64;
const keysTradedMax = 128;
/** Leaves listed at a time: first, and at most once their size is known. */
const leavesListedFirst = 8;
const leavesListedMax = 256;

export class Trade {
  readonly #parts: TradeParts;
  readonly #dialogue: Dialogue;
  /** What is left to do: leaves to list, then tokens of those listed. */
  readonly #leaves: number[];
  #pull: readonly Hash[] = [];
  #push: readonly Hash[] = [];
  #leavesAtATime = leavesListedFirst;
  #keysAtATime = keysTradedFirst;
  /** The names of the tokens that both sides have. */
  #shared: ReadonlySet<string> = new Set();
  /** By key what the peer had of it, so that it is not sent that again. */
  readonly #theirs = new Map<string, Hash>();
  #sent = 0;
  #received = 0;

  constructor(parts: TradeParts) {
    this.#parts = parts;
    this.#dialogue = parts.dialogue;
    this.#leaves = [...parts.leaves];
  }

  start(now: Millis): void {
    this.#dialogue.beginPage(now);
    this.#list(now);
  }

  #list(now: Millis): void {
    const leaves = this.#leaves.splice(0, this.#leavesAtATime);
    if (leaves.length === 0) {
      this.#parts.onTraded(now, { sent: this.#sent, received: this.#received });
      return;
    }
    const question = { kind: "tree-leaves", leaves, digests: [] } as const;
    this.#dialogue.ask(now, question, "tree-leaves", ({ digests: theirs }) => {
      const work = { kind: "leaf", partition: this.#dialogue.partition, leaves } as const;
      this.#dialogue.store(work, "leaf", ({ digests: mine }, later) => {
        const keysPerLeaf = Math.max(1, mine.length, theirs.length) / leaves.length;
        const fitting = Math.max(1, Math.floor(keysListedAim / keysPerLeaf));
        this.#leavesAtATime = Math.min(leavesListedMax, fitting);
        const { pull, shared, push } = differingKeys(mine, theirs);
        const { isGiving } = this.#parts;
        const isOurs = (token: Hash): boolean => shared.has(tokenName(token));
        this.#pull = isGiving ? [] : pull;
        this.#shared = shared;
        this.#push = isGiving ? [...pull.filter(isOurs), ...push] : push;
        this.#theirs.clear();
        this.#pullNext(later);
      });
    });
  }

  #pullNext(now: Millis): void {
    const tokens = this.#pull.slice(0, this.#keysAtATime);
    if (tokens.length === 0) {
      this.#pushNext(now);
      return;
    }
    this.#dialogue.ask(now, { kind: "tree-pull", tokens }, "tree-push", (answer, later) => {
      const { entries, round } = answer;
      if (!entries.every((each) => this.#parts.partitionOf(each) === this.#dialogue.partition)) {
        this.#dialogue.fail(later, "refused");
        return;
      }
      this.#pull = withoutPage(this.#pull, tokens.length, entries);
      // As many as fill a page: tokens that do not fit would only cross again.
      const isPage = entries.length < tokens.length;
      const fitting = isPage ? Math.max(1, entries.length) : 2 * this.#keysAtATime;
      this.#keysAtATime = Math.min(keysTradedMax, fitting);
      if (entries.length === 0) this.#pullNext(later);
      else this.#takeIn(entries, round);
    });
  }

  #takeIn(entries: readonly Entry[], round: number): void {
    const work = { kind: "merge", entries, round } as const;
    this.#dialogue.store(work, "merged", ({ changed }, now) => {
      this.#received += changed;
      // Where this side had the key too, what it holds now may be news to the peer.
      const shared = entries.filter(({ key }) => this.#shared.has(tokenName(key)));
      for (const { key, versions } of shared) this.#theirs.set(nameOf(key), digestOf(versions));
      this.#push = [...this.#push, ...shared.map(({ key: { high, low } }) => ({ high, low }))];
      this.#dialogue.turnPage(now, (later) => this.#pullNext(later));
    });
  }

  #pushNext(now: Millis): void {
    const tokens = this.#push.slice(0, this.#keysAtATime);
    if (tokens.length === 0) {
      this.#dialogue.turnPage(now, (later) => this.#list(later));
      return;
    }
    const { partition } = this.#dialogue;
    const work = { kind: "by-token", partition, tokens, bytes: pageBytesAim } as const;
    this.#dialogue.store(work, "entries", ({ entries, round }, later) => {
      this.#push = withoutPage(this.#push, tokens.length, entries);
      const news = entries.filter(({ key, versions }) => {
        const theirs = this.#theirs.get(nameOf(key));
        return theirs === undefined || !isSameHash(theirs, digestOf(versions));
      });
      if (news.length === 0) this.#dialogue.turnPage(later, (at) => this.#pushNext(at));
      else this.#give(later, news, round);
    });
  }

  #give(now: Millis, entries: readonly Entry[], round: number): void {
    const question = { kind: "tree-push", entries, round } as const;
    this.#dialogue.ask(now, question, "tree-close", (_answer, later) => {
      this.#sent += entries.length;
      this.#dialogue.turnPage(later, (at) => this.#pushNext(at));
    });
  }
}

/**
 * What is left of a list once a page of its first `asked` tokens came. A page holds what fits, so
 * the rest is asked for again; of what no page even begins with, nothing is there any more.
 */
function withoutPage(
  tokens: readonly Hash[],
  asked: number,
  page: readonly Entry[],
): readonly Hash[] {
  const came = new Set(page.map(({ key }) => tokenName(key)));
  const left = tokens.filter((token) => !came.has(tokenName(token)));
  return left.length < tokens.length ? left : tokens.slice(asked);
}
