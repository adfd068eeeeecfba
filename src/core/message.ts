/**
 * Everything that crosses the wire: one closed union, of peers and of clients. How each looks in
 * bytes is in ../WIRE.md; wire/codec.ts is the one place that turns one into the other.
 */

import type { CleanupMessage } from "./cleanup/message.ts";
import type { Operation } from "./clock/operations.ts";
import type { CausalContext, Versions } from "./clock/versions.ts";
import type { Actor, Millis, NodeId, Partition, RequestId } from "./ids.ts";
import type { Key } from "./key.ts";
import type { LivesMessage } from "./members/lives-message.ts";
import type { Member, RingState } from "./ring/ring-state.ts";

/** Four bytes and four bytes: a hash of versions, of a tree node. */
export interface Hash {
  readonly high: number;
  readonly low: number;
}

/**
 * How far a replica may be believed when it has nothing. `catching-up`: its disk is intact but it
 * was away. `rebuilding`: it has lost, or not yet received, what it should hold.
 */
export type Standing = "current" | "catching-up" | "rebuilding";

/** Reading and writing one key at one replica. */
export type ReplicaMessage =
  | {
      readonly kind: "read";
      readonly request: RequestId;
      readonly key: Key;
      /** A digest suffices where another replica sends the whole. */
      readonly full: boolean;
      readonly deadlineMs: number;
    }
  | {
      readonly kind: "read-reply";
      readonly request: RequestId;
      readonly standing: Standing;
      /** The clean-up round of the partition at the replica (tombstone removal). */
      readonly round: number;
      readonly digest: Hash;
      /** Absent when only a digest was asked for. */
      readonly versions: Versions | undefined;
      /** The replica's damage or refusal: it has no say. */
      readonly failure: string | undefined;
    }
  | {
      readonly kind: "write";
      readonly request: RequestId;
      readonly key: Key;
      readonly versions: Versions;
      readonly round: number;
      /** Owners in whose place the receiver keeps a hint; empty when it is an owner itself. */
      readonly hintFor: readonly NodeId[];
      /**
       * Owners in the receiver's data centre, which is not the sender's: the receiver passes it on
       * to them, and acknowledges once for all.
       */
      readonly relay: readonly NodeId[];
      /** A repair is not acknowledged to any client and gives way under load. */
      readonly repair: boolean;
      readonly deadlineMs: number;
    }
  | {
      readonly kind: "write-reply";
      readonly request: RequestId;
      /** `stored`: durable as the node's setting says. */
      readonly outcome: "stored" | "stale-round" | "not-owner" | "refused";
      readonly failure: string | undefined;
    }
  /** A client's command, passed on once to a node that can coordinate it. */
  | {
      readonly kind: "forward";
      readonly request: RequestId;
      /** When the process that sends it started: what an earlier one sent is not done any more. */
      readonly started: Millis;
      readonly command: Command;
    }
  | { readonly kind: "forward-reply"; readonly request: RequestId; readonly result: Result }
  /** One page of a partition in the order of tokens, from what the replica holds. */
  | {
      readonly kind: "list";
      readonly request: RequestId;
      readonly partition: Partition;
      readonly after: Key | undefined;
      readonly limit: number;
    }
  | {
      readonly kind: "list-reply";
      readonly request: RequestId;
      readonly standing: Standing;
      readonly entries: readonly Entry[];
      readonly isEnd: boolean;
      readonly failure: string | undefined;
    };

export interface Entry {
  readonly key: Key;
  readonly versions: Versions;
}

/** Hints on their way to the owner they were kept for. */
export type HintMessage =
  | {
      readonly kind: "hints";
      readonly request: RequestId;
      readonly entries: readonly Entry[];
      readonly round: number;
    }
  /** All of them are durable at the target. */
  | { readonly kind: "hints-reply"; readonly request: RequestId; readonly stored: boolean }
  /** The sender keeps nothing (any more) for the receiver's incarnation `since`. */
  | { readonly kind: "no-hints"; readonly since: Millis };

/** Comparing one partition between two replicas (Merkle trees), and trading what differs. */
export type TreeMessage =
  | {
      readonly kind: "tree-open";
      readonly exchange: number;
      readonly partition: Partition;
      readonly round: number;
      readonly root: Hash;
    }
  | {
      readonly kind: "tree-nodes";
      readonly exchange: number;
      readonly partition: Partition;
      /** 0 asks for or gives children of the root; 1 the leaves below the named children. */
      readonly level: number;
      readonly parents: readonly number[];
      readonly hashes: readonly Hash[];
    }
  | {
      readonly kind: "tree-leaves";
      readonly exchange: number;
      readonly partition: Partition;
      readonly leaves: readonly number[];
      readonly digests: readonly KeyDigest[];
    }
  | {
      readonly kind: "tree-pull";
      readonly exchange: number;
      readonly partition: Partition;
      readonly tokens: readonly Hash[];
    }
  | {
      readonly kind: "tree-push";
      readonly exchange: number;
      readonly partition: Partition;
      readonly entries: readonly Entry[];
      readonly round: number;
    }
  | {
      readonly kind: "tree-close";
      readonly exchange: number;
      readonly partition: Partition;
      readonly outcome: "equal" | "repaired" | "busy" | "refused";
    };

/**
 * A partition on its way to a node that is to hold it. The target asks for a few chunks at a time,
 * from where it has got to; the source keeps nothing in mind between two questions.
 */
export type TransferMessage =
  | {
      readonly kind: "transfer-ask";
      /** A number of its own for each question. */
      readonly transfer: number;
      readonly partition: Partition;
      /** Of the target's tree: when it is the source's too there is nothing to send. */
      readonly root: Hash;
      /** One bit a leaf, the lowest first: what the target has something of already. Or nothing. */
      readonly skip: Uint8Array;
      /** None asks only whether both hold the same. */
      readonly chunks: number;
      readonly after: Key | undefined;
    }
  | {
      readonly kind: "transfer-chunk";
      readonly transfer: number;
      readonly partition: Partition;
      /** From 0, among the chunks that were asked for. */
      readonly index: number;
      readonly round: number;
      readonly entries: readonly Entry[];
      /** How far this goes; absent at the end of the partition. */
      readonly next: Key | undefined;
    }
  | {
      readonly kind: "transfer-close";
      readonly transfer: number;
      readonly partition: Partition;
      readonly outcome: "equal" | "differs" | "busy" | "refused";
    }
  /** Which of these partitions does the receiver hold all of? */
  | {
      readonly kind: "filled-ask";
      readonly epoch: number;
      readonly partitions: readonly Partition[];
    }
  /** These, in the sender's epoch. */
  | { readonly kind: "filled"; readonly epoch: number; readonly partitions: readonly Partition[] };

/** One key of a leaf: the first 64 bits of its token, and the hash of its versions. */
export interface KeyDigest {
  readonly token: Hash;
  readonly digest: Hash;
}

/** Agreeing on the next epoch: single-decree consensus, one instance per epoch. */
export type EpochMessage =
  | { readonly kind: "prepare"; readonly epoch: number; readonly ballot: Ballot }
  | {
      readonly kind: "promise";
      readonly epoch: number;
      readonly ballot: Ballot;
      readonly accepted: { readonly ballot: Ballot; readonly state: RingState } | undefined;
    }
  | {
      readonly kind: "accept";
      readonly epoch: number;
      readonly ballot: Ballot;
      readonly state: RingState;
    }
  | { readonly kind: "accepted"; readonly epoch: number; readonly ballot: Ballot }
  /** Someone has promised a higher ballot, or knows the epoch as decided. */
  | { readonly kind: "rejected"; readonly epoch: number; readonly ballot: Ballot }
  | { readonly kind: "ring-ask" }
  /** A decided epoch, pushed or in answer to `ring-ask`. */
  | { readonly kind: "ring"; readonly state: RingState };

/** Orders attempts: by round, then by who made them. */
export interface Ballot {
  readonly round: number;
  readonly node: NodeId;
}

/** What gossip carries of one member; the newest (started, heartbeat) wins. */
export interface Heartbeat {
  readonly node: NodeId;
  /** Start of the process in milliseconds; grows at each start. */
  readonly started: Millis;
  readonly heartbeat: number;
  readonly epoch: number;
  /** Keys it holds hints for, and partitions it is still filling. */
  readonly hints: number;
  readonly filling: number;
  /** Nodes that it has found unreachable itself. */
  readonly suspects: readonly NodeId[];
}

export type GossipMessage =
  /** What the sender knows; the receiver answers with what the sender lacks (push-pull). */
  | { readonly kind: "gossip"; readonly heartbeats: readonly Heartbeat[] }
  | { readonly kind: "gossip-reply"; readonly heartbeats: readonly Heartbeat[] }
  | { readonly kind: "ping"; readonly sequence: number }
  | { readonly kind: "pong"; readonly sequence: number; readonly load: number }
  /** Asks the receiver to ping `target`, because the sender has no answer from it. */
  | { readonly kind: "ping-for"; readonly sequence: number; readonly target: NodeId }
  | { readonly kind: "pong-for"; readonly sequence: number; readonly target: NodeId };

/** What an administrator's command asks of every live node. */
export type SurveyMessage =
  | { readonly kind: "survey"; readonly request: RequestId; readonly question: string }
  | { readonly kind: "survey-reply"; readonly request: RequestId; readonly answer: string };

/** What seals contexts: told to peers that have proved to be nodes, and to nobody else. */
export interface KeysMessage {
  readonly kind: "context-keys";
  readonly keys: readonly { readonly number: number; readonly bytes: Uint8Array }[];
}

/**
 * Between a client and a node. To a client a context is an opaque, sealed token (context-token.ts)
 * that travels beside the command or result, whose own context is empty on this part of the way:
 * the edge of the node opens and seals it.
 */
export type ClientMessage =
  | {
      readonly kind: "request";
      readonly request: RequestId;
      readonly command: Command;
      readonly token: Uint8Array | undefined;
    }
  | {
      readonly kind: "result";
      readonly request: RequestId;
      readonly result: Result;
      readonly token: Uint8Array | undefined;
    }
  /** From now on tell me of every new epoch, and of who is live. */
  | { readonly kind: "watch-ring" }
  | { readonly kind: "ring-news"; readonly state: RingState; readonly down: readonly NodeId[] }
  /** The node is about to stop: send nothing more here. */
  | { readonly kind: "go-away" };

export type Message =
  | ReplicaMessage
  | HintMessage
  | TreeMessage
  | CleanupMessage
  | TransferMessage
  | EpochMessage
  | GossipMessage
  | LivesMessage
  | SurveyMessage
  | KeysMessage
  | ClientMessage;

/** A client's wish. Contexts are opened before, and sealed after, by the edge. */
export type Command =
  | {
      readonly kind: "get";
      readonly key: Key;
      readonly r: number | undefined;
      readonly strict: boolean;
      readonly deadlineMs: number;
      readonly trace: boolean;
    }
  | {
      readonly kind: "put";
      readonly key: Key;
      /** Absent: a blind write. */
      readonly context: CausalContext | undefined;
      /** Who answered the read fastest, from the context: for the edge's own node, never sent. */
      readonly fastest?: NodeId;
      /** Absent: a delete. */
      readonly value: Uint8Array | undefined;
      /** 0: never expires. Absent: as its bucket says. */
      readonly ttlMs: number | undefined;
      readonly operation: Operation;
      readonly w: number | undefined;
      readonly strict: boolean;
      readonly deadlineMs: number;
      readonly trace: boolean;
    }
  | {
      readonly kind: "scan";
      readonly partition: Partition;
      readonly after: Key | undefined;
      readonly limit: number;
      readonly bucket: string;
      readonly prefix: Uint8Array;
      readonly deadlineMs: number;
    }
  /** status, ring, locate, hints, repair, versions, join …: arguments and answer are JSON. */
  | {
      readonly kind: "admin";
      readonly name: string;
      readonly arguments: string;
      readonly deadlineMs: number;
    };

export type Result =
  | {
      readonly kind: "found";
      readonly values: readonly Uint8Array[];
      readonly context: CausalContext;
      /** The node that answered fastest, which the next put should be coordinated by. */
      readonly fastest: NodeId;
      /** Too few fully informed replicas were reachable: "absent" may be wrong. */
      readonly degraded: boolean;
      /** For each value when it was written, by its coordinator's clock, and by which actor. */
      readonly written: readonly { readonly time: Millis; readonly actor: Actor }[];
      readonly trace: string | undefined;
    }
  | {
      readonly kind: "stored";
      readonly context: CausalContext;
      readonly fastest: NodeId;
      readonly acks: number;
      readonly trace: string | undefined;
    }
  | {
      readonly kind: "page";
      readonly entries: readonly Entry[];
      /** Continue after this key; absent at the end of the partition. */
      readonly next: Key | undefined;
    }
  | { readonly kind: "answer"; readonly json: string }
  | Failed;

/** An error on the wire: the code is API (src/errors.ts), the message is prose. */
export interface Failed {
  readonly kind: "failed";
  readonly code: string;
  readonly message: string;
  readonly applied: "no" | "maybe" | "yes";
  /** When to try again; 0 says nothing. */
  readonly retryAfterMs: number;
}

/** Three connections a pair of peers, so that bulk never delays a request, nor either a probe. */
export type Lane = "control" | "data" | "bulk";

/** A node that asks to be let in says all that a member record holds, but its number. */
export type Candidate = Omit<Member, "id" | "state">;
