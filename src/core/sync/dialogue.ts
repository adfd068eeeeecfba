/**
 * What one comparison asks, of the peer and of this node's own store, one step at a time. Each
 * question to the peer has a number of its own and is asked again when no answer comes: late and
 * repeated answers find no question any more. Once it has ended, nothing happens any more.
 */
import type { Out, StoreOutcome, StoreWork } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { TreeMessage } from "../message.ts";

export type WalkEnd =
  /** Both held the same at some moment of the walk. */
  | { readonly kind: "equal" }
  /** Unless the walk was thorough, leaves that kept changing were left for another time. */
  | { readonly kind: "repaired"; readonly sent: number; readonly received: number }
  /** `busy`: the peer, or this node's own tree, is not ready. `refused`: it holds no such thing. */
  | { readonly kind: "failed"; readonly why: "busy" | "refused" | "silent" | "store" };

export interface DialogueParts {
  readonly peer: NodeId;
  readonly partition: Partition;
  readonly out: Out;
  readonly timeoutMs: Millis;
  /** The number of the next question. */
  nextExchange(): number;
  /** The part of the time that may be used. */
  share(): number;
  onEnd(end: WalkEnd, now: Millis): void;
}

/** Its number and the partition are filled in when it is asked. */
type Question = TreeMessage extends infer Each
  ? Each extends TreeMessage
    ? Omit<Each, "exchange" | "partition">
    : never
  : never;

type OfKind<Union, Kind> = Union & { readonly kind: Kind };

interface Asked {
  readonly message: TreeMessage;
  readonly then: (answer: TreeMessage, now: Millis) => void;
  at: Millis;
  tries: number;
}

const triesMax = 3;
const pauseMsMax = 1_000;

export class Dialogue {
  readonly #parts: DialogueParts;
  #asked: Asked | undefined;
  #wake: { readonly at: Millis; readonly then: (now: Millis) => void } | undefined;
  #hasEnded = false;
  /** When the page of work in hand began. */
  #pageAt: Millis = 0;

  constructor(parts: DialogueParts) {
    this.#parts = parts;
  }

  get partition(): Partition {
    return this.#parts.partition;
  }

  /** The answer to the question in hand: whoever numbers the questions has seen to that. */
  receive(now: Millis, message: TreeMessage): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    this.#asked = undefined;
    const isClose = message.kind === "tree-close";
    if (isClose && (message.outcome === "busy" || message.outcome === "refused")) {
      this.fail(now, message.outcome);
    } else asked.then(message, now);
  }

  tick(now: Millis): void {
    const wake = this.#wake;
    if (wake !== undefined && now >= wake.at) {
      this.#wake = undefined;
      wake.then(now);
    }
    const asked = this.#asked;
    if (asked === undefined || now - asked.at < this.#parts.timeoutMs) return;
    if (asked.tries >= triesMax) this.fail(now, "silent");
    else {
      asked.tries += 1;
      asked.at = now;
      this.#parts.out.send(this.#parts.peer, asked.message);
    }
  }

  ask<Kind extends TreeMessage["kind"]>(
    now: Millis,
    question: Question,
    kind: Kind,
    then: (answer: OfKind<TreeMessage, Kind>, now: Millis) => void,
  ): void {
    this.askAny(now, question, (answer, later) => {
      if (isOfKind(answer, kind)) then(answer, later);
      else this.fail(later, "refused");
    });
  }

  /** For a question with more than one kind of answer. */
  askAny(now: Millis, question: Question, then: Asked["then"]): void {
    if (this.#hasEnded) return;
    const { peer, partition, out } = this.#parts;
    const message: TreeMessage = { ...question, exchange: this.#parts.nextExchange(), partition };
    this.#asked = { message, then, at: now, tries: 1 };
    out.send(peer, message);
  }

  store<Kind extends StoreOutcome["kind"]>(
    work: StoreWork,
    kind: Kind,
    then: (outcome: OfKind<StoreOutcome, Kind>, now: Millis) => void,
  ): void {
    this.#parts.out.store(work, (outcome, now) => {
      if (this.#hasEnded) return;
      if (isOfKind(outcome, kind)) then(outcome, now);
      else this.fail(now, "store");
    });
  }

  sleep(now: Millis, ms: Millis, then: (now: Millis) => void): void {
    this.#wake = { at: now + ms, then };
  }

  /** Ends one page of work; the next begins after a pause in proportion to what it took. */
  turnPage(now: Millis, then: (now: Millis) => void): void {
    const pause = (now - this.#pageAt) * (1 / this.#parts.share() - 1);
    this.#pageAt = now;
    if (pause < 1) then(now);
    else {
      this.sleep(now, Math.min(pause, pauseMsMax), (later) => {
        this.#pageAt = later;
        then(later);
      });
    }
  }

  beginPage(now: Millis): void {
    this.#pageAt = now;
  }

  fail(now: Millis, why: OfKind<WalkEnd, "failed">["why"]): void {
    this.end(now, { kind: "failed", why });
  }

  end(now: Millis, end: WalkEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#asked = undefined;
    this.#wake = undefined;
    this.#parts.onEnd(end, now);
  }
}

function isOfKind<Each extends { readonly kind: string }, Kind extends Each["kind"]>(
  value: Each,
  kind: Kind,
): value is Each & { readonly kind: Kind } {
  return value.kind === kind;
}
