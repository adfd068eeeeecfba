/** What the machines of a node may ask of each other: three narrow, read-only views. */
import type { NodeId, Partition } from "./ids.ts";
import type { Key } from "./key.ts";
import type { Standing } from "./message.ts";
import type { RingState } from "./ring/ring-state.ts";

/** The ring in force, as one node sees it. Replaced as a whole by a new epoch. */
export interface RingView {
  readonly state: RingState;
  readonly self: NodeId;
  readonly partitions: number;
  partitionOf(key: Key): Partition;
  /** The present owners of all data centres, one data centre after the other. */
  owners(partition: Partition): readonly NodeId[];
  /** The owners that the partition is moving to; absent when it stays. */
  future(partition: Partition): readonly NodeId[] | undefined;
  /** Present and future owners: whoever must get every write. */
  holders(partition: Partition): readonly NodeId[];
  /** The present owners in this node's data centre; all of them while it has none. */
  near(partition: Partition): readonly NodeId[];
  /** What `near` is becoming; absent when nothing changes there. */
  nearFuture(partition: Partition): readonly NodeId[] | undefined;
  /** All other holders, one list for each other data centre. */
  far(partition: Partition): readonly (readonly NodeId[])[];
  /**
   * The near owners, then stand-ins walking clockwise; distinct nodes. Nobody stands in for a node
   * of another data centre, except where this one owns nothing yet.
   */
  preference(partition: Partition): readonly NodeId[];
  /** Where a node is, or was; absent for one that never was a member. */
  dcOf(node: NodeId): string | undefined;
  /** Partitions that this node holds, now or in future. */
  held(): readonly Partition[];
  isMember(node: NodeId): boolean;
}

/** Who answers, in this node's own judgement. The node itself is always live. */
export interface LivenessView {
  isLive(node: NodeId): boolean;
  /**
   * A running mean of how long answers take, in milliseconds; 1 when nothing is known. Of a node
   * that is being filled more than of any other.
   */
  latencyMs(node: NodeId): number;
  /** What one answer more took, or that none came within its time. Also evidence of life. */
  answered(node: NodeId, now: number, tookMs: number): void;
  /**
   * What was asked of it then takes unusually long. True when it has said nothing to anybody since:
   * until it speaks again, it counts as the slowest of all.
   */
  late(node: NodeId, askedAt: number): boolean;
  missed(node: NodeId, now: number): void;
}

/** How far this node's own copies may be believed. */
export interface StandingView {
  of(partition: Partition): Standing;
}
