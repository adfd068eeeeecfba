/** Founded with everybody at once: every world begins in the middle of its life. */
import type { NodeId } from "../../src/core/ids.ts";
import { plan } from "../../src/core/ring/planner.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";

const clusterId = "5eed".repeat(8);

export interface Founding {
  readonly nodes: number;
  readonly n: number;
  readonly partitions: number;
  dcOf(id: NodeId): string;
}

export function foundedRing({ nodes, n, partitions, dcOf }: Founding): RingState {
  const members = Array.from({ length: nodes }, (_, i): Member => {
    const id = i + 1;
    const address = `n${id}:7400`;
    return { id, address, dc: dcOf(id), rack: "r1", weight: 1, state: "member" };
  });
  const nobody = Array.from({ length: partitions }, () => []);
  const owners = plan(members, n, nobody);
  const changes = { moves: [], buckets: [], staged: [] };
  return { clusterId, generation: 1, epoch: 1, n, members, owners, ...changes };
}
