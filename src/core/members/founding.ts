/** The first epoch of a cluster: one member, which owns everything. */
import type { Member, RingState } from "../ring/ring-state.ts";

export interface Founding {
  readonly clusterId: string;
  readonly member: Member;
  /** Copies of each partition, once there are so many members. Never changes again. */
  readonly n: number;
  /** A power of two. Never changes again either. */
  readonly partitions: number;
}

export function foundRing({ clusterId, member, n, partitions }: Founding): RingState {
  const owners = Array.from({ length: partitions }, () => [member.id]);
  return {
    ...{ clusterId, generation: 1, epoch: 1, n, members: [member], owners },
    ...{ moves: [], buckets: [], staged: [] },
  };
}
