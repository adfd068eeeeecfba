/** What owners and other members say to each other in a clean-up round, and about its outcome. */
import type { FloorNews } from "../clock/floor.ts";
import type { Dot } from "../clock/versions.ts";
import type { Millis, Partition } from "../ids.ts";

/** How far the clean-up of a partition is, at one node. */
export interface PartitionRound {
  readonly partition: Partition;
  readonly round: number;
}

/**
 * A clean-up round (cleanup/attempt.ts). The attempt is a number of the asking node, in which its
 * answers come back.
 */
export type CleanupMessage =
  /** To an owner: what has been seen? */
  | {
      readonly kind: "cut-ask";
      readonly partition: Partition;
      readonly attempt: number;
      readonly epoch: number;
      /** Siblings that expired before are to go; no owner whose clock is behind agrees. */
      readonly expiredBefore: Millis;
    }
  | {
      readonly kind: "cut";
      readonly partition: Partition;
      readonly attempt: number;
      readonly isReady: boolean;
      readonly round: number;
      readonly promised: number;
      /** The newest event of each actor, sorted by actor. */
      readonly events: readonly Dot[];
    }
  /** To every member: does it keep something of the partition that an owner may not have? */
  | {
      readonly kind: "loose-ask";
      readonly partition: Partition;
      readonly attempt: number;
      readonly epoch: number;
    }
  | {
      readonly kind: "loose";
      readonly partition: Partition;
      readonly attempt: number;
      readonly isFree: boolean;
    }
  /** To an owner that has been compared: is all that it holds durable, and the epoch the same? */
  | {
      readonly kind: "seal";
      readonly partition: Partition;
      readonly attempt: number;
      readonly epoch: number;
      readonly round: number;
    }
  | {
      readonly kind: "sealed";
      readonly partition: Partition;
      readonly attempt: number;
      readonly isSealed: boolean;
    }
  /** A proven floor. */
  | { readonly kind: "floor"; readonly partition: Partition; readonly floor: FloorNews }
  /** How far the sender is; whoever is further sends the floor. */
  | { readonly kind: "rounds"; readonly rounds: readonly PartitionRound[] };
