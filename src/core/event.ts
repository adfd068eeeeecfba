/**
 * The contract between a node and the world it runs in. Events come in, effects go out; the same
 * node runs under sockets and inside the simulator. Time travels in events; the core has no clock.
 */
import type { FloorNews } from "./clock/floor.ts";
import type { CausalContext, Change, Dot, Versions } from "./clock/versions.ts";
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
      /** Who asks, as the edge has made sure of; absent where everybody may do everything. */
      readonly by?: string | undefined;
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
  /** Who is unreachable now, and who is being filled: clients that route ask them last. */
  | {
      readonly kind: "down";
      readonly nodes: readonly NodeId[];
      readonly filling: readonly NodeId[];
    }
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
  /** About how many bytes all copies take on the disk. Answered by `measured`. */
  | { readonly kind: "measure" }
  /** Answered by `tree`: the root, the children of the root, or the leaves below parents. */
  | {
      readonly kind: "tree";
      readonly partition: Partition;
      readonly level: "root" | "children" | "leaves";
      readonly parents: readonly number[];
    }
  /** Answered by `occupied`: in which leaves of the tree there is something. */
  | { readonly kind: "occupied"; readonly partition: Partition }
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
  /** How far clean-up is, of all partitions that have something to tell. Answered by `rounds`. */
  | { readonly kind: "survey-rounds" }
  /** The newest event of each actor that was seen in the partition. Answered by `cut`. */
  | { readonly kind: "cut"; readonly partition: Partition }
  /**
   * Whether there are hints for keys of the partition, or data of it that a node which does not
   * hold it has left over. Answered by `loose`.
   */
  | { readonly kind: "loose"; readonly partition: Partition; readonly isHolder: boolean }
  /** All that the floor of this round will be proven by is here. Answered by `durable`. */
  | { readonly kind: "promise"; readonly partition: Partition; readonly round: number }
  /** Takes over a proven floor, and cleans up in the background. Answered by `durable`. */
  | { readonly kind: "raise-floor"; readonly partition: Partition; readonly floor: FloorNews }
  /** Answered by `floor`. */
  | { readonly kind: "read-floor"; readonly partition: Partition }
  /** Copies the node's whole directory, as it is now. Answered by `checkpointed`. */
  | { readonly kind: "checkpoint"; readonly name: string }
  /** Removes a partition that this node no longer owns. Answered by `durable`. */
  | { readonly kind: "drop-partition"; readonly partition: Partition };

/** Clean-up of one partition, as a store sees it. */
export interface RoundState {
  readonly partition: Partition;
  /** Of the floor; 0 before the first. */
  readonly round: number;
  /** The last round that was promised. Below `round`, the store cannot vouch for what it holds. */
  readonly promised: number;
  /** Keys that a clean-up would make smaller: tombstones, and whatever has a causal past. */
  readonly reapable: number;
  readonly tombstones: number;
  /** No sibling expires before; 0 when none does. */
  readonly expiresFrom: Millis;
  /** Keys are being brought into the form that the floor asks for. */
  readonly isSweeping: boolean;
}

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
  | { readonly kind: "measured"; readonly bytes: number }
  | {
      readonly kind: "checkpointed";
      readonly path: string;
      readonly bytes: number;
      /** Keys that the node held, deleted ones of which it still knows among them. */
      readonly keys: number;
    }
  /** `ready` is false while the tree is still being made after a start. */
  | {
      readonly kind: "tree";
      readonly ready: boolean;
      readonly round: number;
      readonly hashes: readonly Hash[];
    }
  /** `leaves` has one bit a leaf, the lowest first. */
  | {
      readonly kind: "occupied";
      readonly ready: boolean;
      readonly root: Hash;
      readonly leaves: Uint8Array;
    }
  | { readonly kind: "leaf"; readonly digests: readonly KeyDigest[] }
  | {
      readonly kind: "entries";
      readonly entries: readonly Entry[];
      readonly isEnd: boolean;
      readonly round: number;
    }
  | { readonly kind: "rounds"; readonly rounds: readonly RoundState[] }
  /** `ready` is false while what was seen is still being gathered after a start. */
  | {
      readonly kind: "cut";
      readonly ready: boolean;
      readonly round: number;
      readonly promised: number;
      readonly events: readonly Dot[];
    }
  | { readonly kind: "loose"; readonly isFree: boolean }
  | { readonly kind: "floor"; readonly floor: FloorNews; readonly promised: number }
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
  /** This node's disk is older than what it did: a member knows of a process it does not. */
  | { readonly kind: "forgotten"; readonly teller: NodeId; readonly started: Millis }
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
  /** All owners have forgotten what is below a new floor. */
  | { readonly kind: "cleaned"; readonly partition: Partition; readonly round: number }
  /** The data is older than the node's own word for it: an old copy of the disk came back. */
  | { readonly kind: "rolled-back"; readonly partition: Partition; readonly round: number }
  | { readonly kind: "hedged"; readonly node: NodeId }
  /** An operator's command that changes something has ended: `ok`, or the code of its failure. */
  | {
      readonly kind: "audit";
      readonly act: string;
      readonly by: string;
      readonly outcome: string;
      readonly detail: string;
    }
  | { readonly kind: "refused"; readonly what: string; readonly why: string };
