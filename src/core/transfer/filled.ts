/**
 * Which partitions other nodes hold all of, asked of themselves: what moves are finished by, and
 * what must be known before data is dropped. What a node said holds for a moment and for the epoch
 * in which it was said.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { TransferMessage } from "../message.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { RingView, StandingView } from "../views.ts";

export interface FilledParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly standing: StandingView;
  ring(): RingView;
  /** Of a partition that this node does not hold: nothing that it has would be lost with it. */
  isGiven(partition: Partition): boolean;
}

type FilledMessage = TransferMessage & { readonly kind: "filled-ask" | "filled" };

const validMs = 3_000;

export class Filled {
  readonly #parts: FilledParts;
  /** When the node last said so of the partition. */
  readonly #said = new Map<NodeId, Map<Partition, Millis>>();
  #state: RingState | undefined;

  constructor(parts: FilledParts) {
    this.#parts = parts;
  }

  ask(node: NodeId, partitions: readonly Partition[]): void {
    if (node === this.#parts.self || partitions.length === 0) return;
    const { epoch } = this.#parts.ring().state;
    this.#parts.out.send(node, { kind: "filled-ask", epoch, partitions });
  }

  receive(now: Millis, from: NodeId, { kind, epoch, partitions }: FilledMessage): void {
    const { state } = this.#parts.ring();
    if (kind === "filled-ask") {
      const filled = partitions.filter((partition) => this.#isFilledHere(partition));
      this.#parts.out.send(from, { kind: "filled", epoch: state.epoch, partitions: filled });
    } else if (epoch === state.epoch) {
      this.#forgetOld();
      const said = this.#said.get(from) ?? new Map<Partition, Millis>();
      for (const partition of partitions) said.set(partition, now);
      this.#said.set(from, said);
    }
  }

  /** The node has said, in this epoch and not long ago, that it holds all of the partition. */
  isFilled(now: Millis, node: NodeId, partition: Partition): boolean {
    if (node === this.#parts.self) return this.#isFilledHere(partition);
    this.#forgetOld();
    const at = this.#said.get(node)?.get(partition);
    return at !== undefined && now - at < validMs;
  }

  #isFilledHere(partition: Partition): boolean {
    const ring = this.#parts.ring();
    if (partition >= ring.partitions) return false;
    if (!ring.holders(partition).includes(ring.self)) return this.#parts.isGiven(partition);
    return this.#parts.standing.of(partition) !== "rebuilding";
  }

  #forgetOld(): void {
    const { state } = this.#parts.ring();
    if (state === this.#state) return;
    this.#state = state;
    this.#said.clear();
  }
}
