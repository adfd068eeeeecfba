/**
 * The public shapes of the cluster's client. Names are fixed: other programs are written against
 * them. Keys and values are bytes; a string stands for its UTF-8 bytes. An absent key is no error.
 * Everything that goes wrong rejects with a `ClusterError` (src/errors.ts), whose `applied` says
 * whether a write may have taken effect.
 */
import type { BucketRecord } from "../core/ring/ring-state.ts";
import type { Context } from "./context.ts";

/** Bytes going in: copied before the call returns, so the caller may reuse them. */
export type BytesInput = string | Uint8Array;

export interface ConnectOptions {
  /** `aware` (default): straight to an owner of the key. `any`: to any node, which passes it on. */
  readonly routing?: "aware" | "any" | undefined;
  /**
   * The data centre whose nodes are asked while one of them is there. Default: the one that answers
   * soonest. What one has stored reaches the others a little later.
   */
  readonly dc?: string | undefined;
  /** The deadline of a call that names none; covers retries. Default 5000. */
  readonly timeoutMs?: number | undefined;
  /** Calls that may wait at a time, for a node or an answer; more are OVERLOADED. Default 4096. */
  readonly requestsMax?: number | undefined;
  /** Sent to the nodes in the handshake; they may demand one. In the clear without `tls`. */
  readonly token?: string | undefined;
  /** `true`: nodes prove themselves with certificates that the system's authorities signed. */
  readonly tls?: true | TlsOptions | undefined;
  /** Also ask a second node when the first takes longer than usual. Default true. */
  readonly hedge?: boolean | undefined;
}

/** All of it PEM: the text of files such as `kvctl cert` makes. */
export interface TlsOptions {
  /** The authorities whose nodes are believed. Default: those that the system knows. */
  readonly ca?: BytesInput | undefined;
  /** What this client proves itself with, and the key that belongs to it. */
  readonly cert?: BytesInput | undefined;
  readonly key?: BytesInput | undefined;
  /** The host that certificates must name, where it is not the one that is dialled. */
  readonly servername?: string | undefined;
}

export interface CallOptions {
  /** Milliseconds for everything, retries included: 10 to 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Cancels the wait. A write may take effect nevertheless, as the error's `applied` says. */
  readonly signal?: AbortSignal | undefined;
  /** Only owners count, no stand-ins: with r + w > n a read then sees every acknowledged write. */
  readonly strict?: boolean | undefined;
  /** Ask for the time line of the request; see `Found.trace`. */
  readonly trace?: boolean | undefined;
}

export interface GetOptions extends CallOptions {
  /** How many replicas must answer: 1 to n. Default: the bucket's, else the cluster's. */
  readonly r?: number | undefined;
  /**
   * Makes one value of siblings, in place of the bucket's resolver: with it `found.value` is the
   * merged one, where it would throw CONFLICT. Called only when there are several, with all of
   * them; `found.values` still has them. Nothing is written back: `update` does that.
   */
  readonly resolve?: ((values: Uint8Array[]) => BytesInput) | undefined;
}

export interface PutOptions extends CallOptions {
  /**
   * What the write supersedes: the context of the read it is based on. Without one the write is
   * blind: it supersedes nothing and stays beside whatever is there, as a sibling.
   */
  readonly context?: Context | undefined;
  /** How many replicas must have it: 1 to n. Default: the bucket's, else the cluster's. */
  readonly w?: number | undefined;
  /**
   * The value disappears so many milliseconds from now: above 0, at most ten years, or Infinity
   * for never. Default: as its bucket says, and never where that says nothing.
   */
  readonly ttlMs?: number | undefined;
}

export interface DeleteOptions extends CallOptions {
  /** Without one, the delete reads first and deletes what it saw. */
  readonly context?: Context | undefined;
  readonly w?: number | undefined;
}

/** What `get` finds: every value that no known write supersedes, and the context of them all. */
export interface Found {
  /** None: absent or deleted. Several: siblings, written without knowledge of each other. */
  readonly values: readonly Uint8Array[];
  /** Pass it to the next put or delete of this key; also there when nothing was found. */
  readonly context: Context;
  /**
   * The only value; undefined when there is none; throws CONFLICT when there are several, unless
   * the read or the bucket has a way to resolve them.
   */
  readonly value: Uint8Array | undefined;
  /** True when too few informed replicas answered, so that "absent" may be wrong. */
  readonly degraded?: boolean | undefined;
  /** For each value, when it was written by its coordinator's clock, and by which actor. */
  readonly written: readonly { readonly time: number; readonly actor: string }[];
  /** Where the request went and when, as JSON, if asked for. */
  readonly trace?: string | undefined;
}

export interface Stored {
  /** What the writer knows now: the context given, and this write. */
  readonly context: Context;
  readonly acks: number;
  readonly trace?: string | undefined;
}

export interface ScanOptions {
  readonly prefix?: BytesInput | undefined;
  /** At most so many keys; absent means all. */
  readonly limit?: number | undefined;
  /** For each page, of which a scan has one or more a partition. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The verbs, on the keys of one bucket. */
export interface Bucket {
  get(key: BytesInput, options?: GetOptions): Promise<Found>;
  put(key: BytesInput, object: BytesInput, options?: PutOptions): Promise<Stored>;
  delete(key: BytesInput, options?: DeleteOptions): Promise<Stored>;
  /**
   * Reads, merges and writes, again until no sibling is left: the loop of every careful client.
   * Where others write at the same time, `merge` is called again, and then what it made before is
   * among the values. In a bucket with a resolver it gets one value, where that makes one of all.
   * CONFLICT when others keep on writing.
   */
  update(
    key: BytesInput,
    merge: (values: Uint8Array[]) => BytesInput,
    options?: GetOptions & PutOptions,
  ): Promise<Stored>;
  /** In the order of the keys, under one deadline. */
  getMany(keys: readonly BytesInput[], options?: GetOptions): Promise<Found[]>;
  /**
   * Every key once, in the order of the ring, not of the keys. Not a snapshot. To write a key that
   * a scan has shown, read it: the context of what a scan shows is empty.
   */
  scan(options?: ScanOptions): AsyncIterable<[key: Uint8Array, found: Found]>;
}

/** How a named key space behaves where a call does not say. */
export interface BucketProperties {
  /** Quorums, from 1 to n; 0: those of the cluster. */
  readonly r?: number | undefined;
  readonly w?: number | undefined;
  /** What makes one value of siblings. `siblings` makes none: the caller has to. */
  readonly resolver?: BucketRecord["resolver"] | undefined;
  /** How long values live; 0 or Infinity: for ever. What was written before keeps its own time. */
  readonly ttlMs?: number | undefined;
}

export interface Client extends Bucket, AsyncDisposable {
  /** The same verbs on a named key space, which need not have been created. */
  bucket(name: string): Bucket;
  /**
   * Gives a named key space properties; BUCKET_EXISTS when it has others. Every live node that can
   * be reached follows them by the time this resolves. A bucket's record cannot be taken back.
   */
  createBucket(name: string, properties?: BucketProperties, options?: CallOptions): Promise<void>;
  /** Changes the properties that are named; BUCKET_UNKNOWN when it was not created. */
  setBucket(name: string, properties: BucketProperties, options?: CallOptions): Promise<void>;
  /** Every bucket that was created, by name. */
  buckets(options?: CallOptions): Promise<readonly BucketRecord[]>;
  /**
   * The same verbs, where each read shows at least what this session has read and written of the
   * key before, or fails with SESSION_NOT_SATISFIED. A token continues a session elsewhere. It
   * remembers the 10,000 keys used last.
   */
  session(token?: string): Session;
  /** Commands for operators (status, ring, locate, …); the answer is what the node says. */
  admin(name: string, args?: object, options?: CallOptions): Promise<unknown>;
  /** Lets no new call in, and fails those under way with CLOSED. Idempotent. */
  close(): Promise<void>;
}

export interface Session extends Bucket {
  /** All that the session knows, as printable text. */
  readonly token: string;
}
