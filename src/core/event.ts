/**
 * The contract between a node and the world it runs in. Events come in, effects go out; the same
 * node runs under sockets and inside the simulator. Time travels in events; the core has no clock.
 */
import type { CausalContext, Change, Versions } from "./clock/versions.ts";
import type { Millis, NodeId, Partition, RequestId, Ticket } from "./ids.ts";
import type { Key } from "./key.ts";
import type { Command, Entry, Hash, KeyDigest, Message, Result, Standing } from "./message.ts";
import type { RingState } from "./ring/ring-state.ts";

/** Everything that can happen to a node. `now` never goes back. */
export type Event =
  | { readonly kind: "tick"; readonly now: Millis }
  | {
      readonly kind: "message";
      readonly now: Millis;
      readonly from: NodeId;
      readonly message: Message;
    }
  | {
      readonly kind: "request";
      readonly now: Millis;
      readonly id: RequestId;
      readonly command: Command;
    }
  | {
      readonly kind: "stored";
      readonly now: Millis;
      readonly ticket: Ticket;
      readonly outcome: StoreOutcome;
    }
  /** Some of what is held of a partition turned out to be unreadable. */
  | { readonly kind: "damage"; readonly now: Millis; readonly partition: Partition }
  /** The transport's connection to a peer was made, or broke (reset, refused, closed). */
  | { readonly kind: "link"; readonly now: Millis; readonly peer: NodeId; readonly up: boolean };

/** Everything a node can ask of the world, performed first to last. */
export type Effect =
  | { readonly kind: "send"; readonly to: NodeId; readonly message: Message }
  | { readonly kind: "store"; readonly ticket: Ticket; readonly work: StoreWork }
  | { readonly kind: "reply"; readonly id: RequestId; readonly result: Result }
  /** A new epoch is in force: the transport learns addresses, clients are told. */
  | { readonly kind: "ring"; readonly state: RingState }
  /** Who is unreachable now, for clients that route for themselves. */
  | { readonly kind: "down"; readonly nodes: readonly NodeId[] }
  | { readonly kind: "notice"; readonly notice: Notice };

/**
 * What a machine may do: appended to the effects of the event in hand. `then` is called for each
 * outcome of the work, never within the call of `store`.
 */
export interface Out {
  send(to: NodeId, message: Message): void;
  store(work: StoreWork, then: (outcome: StoreOutcome, now: Millis) => void): void;
  notice(notice: Notice): void;
}

/** Work on the node's own data. Each is answered by one outcome, `write` by two. */
export type StoreWork =
  /** What is held of a key; with targets, what is held as hints for them. */
  | { readonly kind: "read"; readonly key: Key; readonly targets: readonly NodeId[] }
  /**
   * Coordinates a write: reads, applies the change over the context under a new dot, writes.
   * Answered by `written` when the versions are known (send them on) and by `durable` later.
   * With targets this node is a stand-in, and keeps the outcome as hints for them.
   */
  | {
      readonly kind: "write";
      readonly key: Key;
      readonly context: CausalContext;
      readonly change: Change;
      readonly targets: readonly NodeId[];
      /** The write is refused if it would make more siblings than this, or more bytes of them. */
      readonly siblingsMax: number;
      readonly siblingBytesMax: number;
    }
  /** Joins what came from a peer into what is held. Answered by `merged` once durable. */
  | { readonly kind: "merge"; readonly entries: readonly Entry[]; readonly round: number }
  /** Keeps hints, merged per key. Answered by `durable`. */
  | {
      readonly kind: "keep-hints";
      readonly targets: readonly NodeId[];
      readonly entry: Entry;
      readonly round: number;
    }
  /** The next hints for a target, about `bytes` of them. Answered by `hints`. */
  | { readonly kind: "read-hints"; readonly target: NodeId; readonly bytes: number }
  /** Forgets hints that the target has made durable, unless they changed since. */
  | {
      readonly kind: "drop-hints";
      readonly target: NodeId;
      readonly entries: readonly { readonly key: Key; readonly digest: Hash }[];
    }
  /** Answered by `counts`. */
  | { readonly kind: "count-hints" }
  /** Answered by `tree`: the root, the children of the root, or the leaves below parents. */
  | {
      readonly kind: "tree";
      readonly partition: Partition;
      readonly level: "root" | "children" | "leaves";
      readonly parents: readonly number[];
    }
  /** Answered by `leaf`: every key of these leaves. */
  | { readonly kind: "leaf"; readonly partition: Partition; readonly leaves: readonly number[] }
  /** Entries by the heads of their tokens. Answered by `entries`. */
  | {
      readonly kind: "by-token";
      readonly partition: Partition;
      readonly tokens: readonly Hash[];
      readonly bytes: number;
    }
  /** A page of a partition in the order of tokens. Answered by `entries`. */
  | {
      readonly kind: "list";
      readonly partition: Partition;
      readonly after: Key | undefined;
      readonly limit: number;
      readonly bytes: number;
    }
  /** Durable facts of the node itself: epochs, votes, standing. Answered by `meta` or `durable`. */
  | { readonly kind: "load-meta"; readonly name: string }
  | { readonly kind: "save-meta"; readonly name: string; readonly bytes: Uint8Array }
  /**
   * The partition was not held without a break: its next dots come from a fresh actor. Answered by
   * `durable`.
   */
  | { readonly kind: "renew-actor"; readonly partition: Partition }
  /** Removes a partition that this node no longer owns. Answered by `durable`. */
  | { readonly kind: "drop-partition"; readonly partition: Partition };

export type StoreOutcome =
  | { readonly kind: "versions"; readonly versions: Versions; readonly round: number }
  | {
      readonly kind: "written";
      readonly versions: Versions;
      readonly context: CausalContext;
      readonly isDuplicate: boolean;
      readonly round: number;
    }
  | { readonly kind: "durable" }
  /** How many of the entries told something new; the stale ones came from an older round. */
  | { readonly kind: "merged"; readonly changed: number; readonly stale: number }
  | { readonly kind: "hints"; readonly entries: readonly Entry[]; readonly isLast: boolean }
  | {
      readonly kind: "counts";
      readonly hints: readonly { readonly target: NodeId; readonly keys: number }[];
    }
  /** `ready` is false while the tree is still being made after a start. */
  | { readonly kind: "tree"; readonly ready: boolean; readonly hashes: readonly Hash[] }
  | { readonly kind: "leaf"; readonly digests: readonly KeyDigest[] }
  | { readonly kind: "entries"; readonly entries: readonly Entry[]; readonly isEnd: boolean }
  | { readonly kind: "meta"; readonly bytes: Uint8Array | undefined }
  /** More siblings than allowed: nothing was written. */
  | {
      readonly kind: "too-many-siblings";
      readonly siblings: number;
      readonly bytes: number;
    }
  /** The engine refused or failed; `applied` tells whether it may still come to be. */
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly message: string;
      readonly applied: "no" | "maybe" | "yes";
    };

/** What happened, for logs, metrics and the checkers of the simulator. */
export type Notice =
  | { readonly kind: "down"; readonly node: NodeId; readonly why: string }
  | { readonly kind: "up"; readonly node: NodeId }
  | { readonly kind: "epoch"; readonly epoch: number; readonly why: string }
  | {
      readonly kind: "standing";
      readonly partition: Partition;
      readonly standing: Standing;
    }
  | { readonly kind: "read-repair"; readonly key: Key; readonly node: NodeId }
  | { readonly kind: "hint-kept"; readonly target: NodeId }
  | { readonly kind: "hints-delivered"; readonly target: NodeId; readonly keys: number }
  | {
      readonly kind: "exchanged";
      readonly partition: Partition;
      readonly peer: NodeId;
      readonly sent: number;
      readonly received: number;
    }
  /** A partition has come to this node, but for the comparison. */
  | {
      readonly kind: "streamed";
      readonly partition: Partition;
      readonly source: NodeId;
      readonly keys: number;
      readonly bytes: number;
    }
  /** Moves wait so long that somebody should look: for what these nodes have not got yet. */
  | {
      readonly kind: "moves-stuck";
      readonly moves: number;
      readonly nodes: readonly NodeId[];
    }
  | { readonly kind: "hedged"; readonly node: NodeId }
  | { readonly kind: "refused"; readonly what: string; readonly why: string };
