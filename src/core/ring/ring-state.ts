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
  /**
   * `joining` waits for its plan to be committed: it owns nothing and does not vote. `leaving`
   * still owns and votes. `left` is remembered so that its number is refused.
   */
  readonly state: "member" | "leaving" | "left" | "joining";
}

/** The owners that a partition will have, once each of them holds all of it. */
export interface Move {
  readonly partition: Partition;
  readonly to: readonly NodeId[];
}

/** A named key space with properties of its own. Buckets without a record have the defaults. */
export interface BucketRecord {
  readonly name: string;
  /** Quorums of requests that name none; 0: the node's own. */
  readonly r: number;
  readonly w: number;
  /** How a client of the bucket makes one value of siblings, unless it says otherwise. */
  readonly resolver: Resolver;
  /** Of writes that name none; 0: they never expire. */
  readonly ttlMs: number;
}

export type Resolver = "siblings" | "lww" | "union" | "counter";

/** A change of membership that was proposed and waits to be committed, or to be taken back. */
export type StagedChange =
  /** The member is `joining` already; with `replaces` it takes that member's place. */
  | { readonly kind: "join"; readonly node: NodeId; readonly replaces: NodeId | undefined }
  | { readonly kind: "leave"; readonly node: NodeId }
  | { readonly kind: "remove"; readonly node: NodeId }
  | { readonly kind: "weight"; readonly node: NodeId; readonly weight: number };

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
  /** Sorted by name. */
  readonly buckets: readonly BucketRecord[];
  /** In the order in which they were proposed. */
  readonly staged: readonly StagedChange[];
}
