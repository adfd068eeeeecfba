/**
 * The answering side of a comparison. It keeps no state between messages: each question says all
 * that it needs, so that loss, repetition and a restart cost a question again and nothing else.
 */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { PartitionRound } from "../cleanup/message.ts";
import { isSameHash } from "../clock/digest.ts";
import type { Out, StoreOutcome, StoreWork } from "../event.ts";
import type { Millis, NodeId } from "../ids.ts";
import { pageBytesAim } from "../limits.ts";
import type { TreeMessage } from "../message.ts";
import type { RingView } from "../views.ts";
import { fanOut, leavesPerTree } from "./merkle.ts";

/** Questions being worked on; beyond it the peer is told to come again. */
const worksMax = 64;
/** More than any walk asks for at a time. */
const tokensMax = 1 << 12;

export interface ResponderParts {
  readonly out: Out;
  ring(): RingView;
  /** A peer is in another clean-up round: first both must be in one. */
  onRound(now: Millis, peer: NodeId, theirs: PartitionRound): void;
}

type Close = TreeMessage & { readonly kind: "tree-close" };
/** What the store is asked, and what its answer makes of the reply. */
type Then = (outcome: StoreOutcome) => TreeMessage | Close["outcome"];

export class Responder {
  readonly #parts: ResponderParts;
  #works = 0;

  constructor(parts: ResponderParts) {
    this.#parts = parts;
  }

  receive(_now: Millis, from: NodeId, message: TreeMessage): void {
    const { partition } = message;
    const ring = this.#parts.ring();
    const isHeld = partition < ring.partitions && ring.holders(partition).includes(ring.self);
    if (!isHeld) this.#close(from, message, "refused");
    else if (this.#works >= worksMax) this.#close(from, message, "busy");
    else this.#answer(from, message);
  }

  #answer(from: NodeId, message: TreeMessage): void {
    const { partition } = message;
    switch (message.kind) {
      case "tree-open":
        this.#open(from, message);
        return;
      case "tree-nodes":
        this.#tree(from, message, message.level === 0 ? [] : message.parents);
        return;
      case "tree-leaves": {
        const { leaves } = message;
        const isSound = leaves.length <= leavesPerTree && leaves.every((at) => at < leavesPerTree);
        if (!isSound) this.#close(from, message, "refused");
        else {
          this.#work(from, message, { kind: "leaf", partition, leaves }, (outcome) =>
            outcome.kind === "leaf" ? { ...message, digests: outcome.digests } : "busy",
          );
        }
        return;
      }
      case "tree-pull": {
        const { exchange, tokens } = message;
        if (tokens.length > tokensMax) {
          this.#close(from, message, "refused");
          return;
        }
        const work = { kind: "by-token", partition, tokens, bytes: pageBytesAim } as const;
        this.#work(from, message, work, (outcome) => {
          if (outcome.kind !== "entries") return "busy";
          const { entries, round } = outcome;
          return { kind: "tree-push", exchange, partition, entries, round };
        });
        return;
      }
      case "tree-push":
        this.#takeIn(from, message);
        return;
      case "tree-close":
        // An answer without a question: of a walk that ended long ago.
        return;
      default:
        unreachable(message);
    }
  }

  #open(from: NodeId, message: TreeMessage & { readonly kind: "tree-open" }): void {
    const { partition, exchange, root, round } = message;
    const work = { kind: "tree", partition, level: "root", parents: [] } as const;
    this.#works += 1;
    this.#parts.out.store(work, (outcome, now) => {
      this.#works -= 1;
      const own = outcome.kind === "tree" && outcome.ready ? outcome.hashes[0] : undefined;
      const isOther = outcome.kind === "tree" && outcome.round !== round;
      if (isOther) this.#parts.onRound(now, from, { partition, round });
      if (own === undefined || isOther) this.#close(from, message, "busy");
      else if (isSameHash(own, root)) this.#close(from, message, "equal");
      else {
        const asked = { kind: "tree-nodes", exchange, partition, level: 0 } as const;
        this.#tree(from, { ...asked, parents: [], hashes: [] }, []);
      }
    });
  }

  /** The children of the root when no parents are named. */
  #tree(
    from: NodeId,
    message: TreeMessage & { readonly kind: "tree-nodes" },
    parents: readonly number[],
  ): void {
    const { partition, level } = message;
    if (parents.length > fanOut || !parents.every((parent) => parent < fanOut)) {
      this.#close(from, message, "refused");
      return;
    }
    const names = level === 0 ? "children" : "leaves";
    const work = { kind: "tree", partition, level: names, parents } as const;
    this.#work(from, message, work, (outcome) =>
      outcome.kind === "tree" && outcome.ready ? { ...message, hashes: outcome.hashes } : "busy",
    );
  }

  /** `repaired` says that the entries are durable here. */
  #takeIn(from: NodeId, message: TreeMessage & { readonly kind: "tree-push" }): void {
    const { partition, entries, round } = message;
    const ring = this.#parts.ring();
    if (!entries.every(({ key }) => ring.partitionOf(key) === partition)) {
      this.#close(from, message, "refused");
      return;
    }
    this.#work(from, message, { kind: "merge", entries, round }, (outcome) =>
      outcome.kind === "merged" ? "repaired" : "busy",
    );
  }

  #work(from: NodeId, message: TreeMessage, work: StoreWork, then: Then): void {
    this.#works += 1;
    this.#parts.out.store(work, (outcome) => {
      this.#works -= 1;
      const answer = then(outcome);
      if (typeof answer === "string") this.#close(from, message, answer);
      else this.#parts.out.send(from, answer);
    });
  }

  #close(to: NodeId, { exchange, partition }: TreeMessage, outcome: Close["outcome"]): void {
    this.#parts.out.send(to, { kind: "tree-close", exchange, partition, outcome });
  }
}
