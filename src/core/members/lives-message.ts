/** What members say of each other's past processes (lives.ts). */
import type { Millis } from "../ids.ts";

/** One process, and a heartbeat: the last that was heard, or one that it never passed. */
export interface Life {
  readonly started: Millis;
  readonly heartbeat: number;
}

/** Telling a node what it did and forgot, because its disk is older than that. */
export type LivesMessage =
  /** The lives that the sender's directory knows of, each with a bound of its heartbeats. */
  | {
      readonly kind: "lives-ask";
      readonly started: Millis;
      readonly lives: readonly Life[];
    }
  /** To the process that began at `started`: lives that were heard of, and are not among those. */
  | {
      readonly kind: "lives";
      readonly started: Millis;
      readonly forgotten: readonly Life[];
    };
