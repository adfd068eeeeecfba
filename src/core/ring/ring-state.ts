/**
 * Who belongs to the cluster and which member owns what: one immutable value per epoch. It is
 * agreed by a majority of members (members/epochs.ts) and never derived from gossip.
 */
import type { NodeId, Partition } from "../ids.ts";

export interface Member {
  readonly id: NodeId;
  /** HOST:PORT under which other nodes and clients reach it. */
  readonly address: string;
  readonly dc: string;
  readonly rack: string;
  /** Its share relative to others; 1 is usual. Above 0, at most 100. */
  readonly weight: number;
  /** `leaving` still owns and votes; `left` is remembered so that its number is refused. */
  readonly state: "member" | "leaving" | "left";
}

/** The owners that a partition will have, once each of them holds all of it. */
export interface Move {
  readonly partition: Partition;
  readonly to: readonly NodeId[];
}

export interface RingState {
  /** 128 random bits, minted once by the founder: 32 lower-case hex digits. */
  readonly clusterId: string;
  /** Grows when an administrator forces a ring without a majority; an older one is fenced off. */
  readonly generation: number;
  readonly epoch: number;
  /** Copies in each data centre; fixed at founding. */
  readonly n: number;
  readonly members: readonly Member[];
  /** For each partition its owners, first in the preference list first. Q entries. */
  readonly owners: readonly (readonly NodeId[])[];
  /** Partitions on their way to other owners: writes go to both sets, reads to the present one. */
  readonly moves: readonly Move[];
}
