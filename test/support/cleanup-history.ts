/** What clients of the clean-up model did and were told, and whether what is left agrees. */

import type { Versions } from "../../src/core/clock/versions.ts";
import { type CausalContext, type Dot, knows, siblingAt } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";

export interface Operation {
  readonly key: string;
  readonly dot: Dot;
  readonly isDelete: boolean;
  readonly context: CausalContext;
  /** Copies that make it acknowledged. */
  readonly need: number;
  readonly acks: Set<NodeId>;
  isAcked: boolean;
}

export interface Wrongs {
  /** Acknowledged, superseded by nothing, and not there. */
  readonly lost: number;
  /** There, though an acknowledged write superseded it. */
  readonly resurrected: number;
}

export class History {
  readonly operations: Operation[] = [];

  get acked(): number {
    return this.operations.filter(({ isAcked }) => isAcked).length;
  }

  begin(about: Omit<Operation, "acks" | "isAcked">): Operation {
    const operation = { ...about, acks: new Set<NodeId>(), isAcked: false };
    this.operations.push(operation);
    return operation;
  }

  /** One more copy is durable. While the partition moves, its future owners must have some too. */
  acknowledge(operation: Operation, from: NodeId, future: readonly NodeId[] | undefined): void {
    const { acks, need } = operation;
    acks.add(from);
    const inFuture = future === undefined ? need : future.filter((id) => acks.has(id)).length;
    if (acks.size >= need && inFuture >= need) operation.isAcked = true;
  }

  judge(key: string, final: Versions): Wrongs {
    let [lost, resurrected] = [0, 0];
    const operations = this.operations.filter((operation) => operation.key === key);
    for (const operation of operations) {
      if (operation.isDelete) continue;
      const isThere = siblingAt(final, operation.dot) !== undefined;
      const over = operations.filter(
        (other) => other !== operation && knows(other.context, operation.dot),
      );
      if (operation.isAcked && !isThere && over.length === 0) lost += 1;
      if (isThere && over.some(({ isAcked }) => isAcked)) resurrected += 1;
    }
    return { lost, resurrected };
  }
}
