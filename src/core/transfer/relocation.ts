/**
 * All that a change of the ring sets in motion at one node: what is to come streams in, what it
 * holds no longer is given away and dropped, who holds what is asked and answered, and moves end.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import { Moves, type MovesParts, movesDefaults } from "../members/moves.ts";
import type { Message, TransferMessage } from "../message.ts";
import type { Random } from "../random.ts";
import type { FillingView } from "../sync/exchange.ts";
import type { LivenessView, RingView } from "../views.ts";
import { Departed, type DepartedParts, departedDefaults } from "./departed.ts";
import { Filled } from "./filled.ts";
import { type TransferReport, Transfers, transferDefaults } from "./transfers.ts";

export interface RelocationParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  readonly liveness: LivenessView;
  readonly standing: FillingView;
  readonly propose: MovesParts["propose"];
  readonly give: DepartedParts["give"];
  ring(): RingView;
  share(): number;
  /** This node keeps hints for nobody. */
  keepsNone(): boolean;
}

const kinds: ReadonlySet<Message["kind"]> = new Set([
  ...(["transfer-ask", "transfer-chunk", "transfer-close", "filled-ask", "filled"] as const),
]);

export function isTransfer(message: Message): message is TransferMessage {
  return kinds.has(message.kind);
}

export class Relocation {
  readonly #transfers: Transfers;
  readonly #filled: Filled;
  readonly #departed: Departed;
  readonly #moves: Moves;
  /** What comparing is to fill: partitions whose stream is over. */
  readonly filling: FillingView;

  constructor({ propose, give, keepsNone, standing, ...common }: RelocationParts) {
    this.#transfers = new Transfers({ ...common, standing, tuning: transferDefaults });
    this.#filled = new Filled({
      ...{ ...common, standing },
      isGiven: (partition) => keepsNone() && this.isGiven(partition),
    });
    const asking = {
      isFilled: (now: Millis, node: NodeId, partition: Partition): boolean =>
        this.#filled.isFilled(now, node, partition),
      askFilled: (node: NodeId, partitions: readonly Partition[]): void =>
        this.#filled.ask(node, partitions),
    };
    this.#departed = new Departed({ ...common, ...asking, give, tuning: departedDefaults });
    this.#moves = new Moves({ ...common, ...asking, propose, tuning: movesDefaults });
    this.filling = {
      of: (partition) => standing.of(partition),
      fillings: () => this.#transfers.streamed(),
      visited: (partition, peer, begunAt) => standing.visited(partition, peer, begunAt),
    };
  }

  receive(now: Millis, from: NodeId, message: TransferMessage): void {
    if (message.kind === "filled-ask" || message.kind === "filled") {
      this.#filled.receive(now, from, message);
    } else this.#transfers.receive(now, from, message);
  }

  tick(now: Millis): void {
    this.#moves.tick(now);
    this.#transfers.tick(now);
    this.#departed.tick(now);
  }

  /** Nothing that this node has of the partition, which it does not hold, is lost with it. */
  isGiven(partition: Partition): boolean {
    return this.#departed.isGiven(partition);
  }

  report(): readonly TransferReport[] {
    return this.#transfers.report();
  }
}
