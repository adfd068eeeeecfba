/**
 * Everything that can go wrong in the cluster, by code. The registry below is the one source of
 * `err.code`, of kvctl's exit code and of what a caller may assume about its write. Nodes send the
 * code and the message; clients get both back as a ClusterError. The engine is not loaded here.
 */

/** Whether the failed operation took effect: a later read may (not) show it. */
export type Applied = "no" | "maybe" | "yes";

interface Code {
  readonly exit: number;
  readonly applied: Applied;
  readonly meaning: string;
}

/** What was asked cannot be done as it was asked. Nothing was sent to any replica. */
const requests = {
  KEY_EMPTY: { exit: 2, applied: "no", meaning: "a key of no bytes" },
  KEY_TOO_LARGE: { exit: 2, applied: "no", meaning: "a key longer than keyBytesMax" },
  KEY_ENCODING: { exit: 2, applied: "no", meaning: "text that has no UTF-8 form" },
  INVALID_ARGUMENT: { exit: 2, applied: "no", meaning: "an argument of the wrong type or form" },
  VALUE_TOO_LARGE: { exit: 2, applied: "no", meaning: "a value longer than valueBytesMax" },
  QUORUM_INVALID: { exit: 2, applied: "no", meaning: "r or w that is not from 1 to n" },
  DEADLINE_INVALID: { exit: 2, applied: "no", meaning: "a time-out outside its bounds" },
  RANGE_INVALID: { exit: 2, applied: "no", meaning: "a scan that begins where nothing can be" },
  TTL_INVALID: { exit: 2, applied: "no", meaning: "a time to live outside its bounds" },
  CONTEXT_INVALID: { exit: 2, applied: "no", meaning: "a context that no node of ours sealed" },
  CONTEXT_WRONG_KEY: { exit: 2, applied: "no", meaning: "a context of another key" },
  CONTEXT_WRONG_CLUSTER: { exit: 2, applied: "no", meaning: "a context of another cluster" },
  CONTEXT_TOO_LARGE: { exit: 2, applied: "no", meaning: "a context beyond contextBytesMax" },
  TOO_MANY_SIBLINGS: { exit: 4, applied: "no", meaning: "read and resolve before writing more" },
  NOTHING_STAGED: { exit: 4, applied: "no", meaning: "nothing to commit, or to take back" },
  PLAN_CHANGED: {
    exit: 4,
    applied: "no",
    meaning: "what was planned is not what would be done now",
  },
  MAJORITY_LIVE: {
    exit: 4,
    applied: "no",
    meaning: "enough members are live to agree without force",
  },
  CONFLICT: { exit: 4, applied: "no", meaning: "several values where one was asked for" },
  BUCKET_EXISTS: { exit: 4, applied: "no", meaning: "a bucket of that name, but another one" },
  BUCKET_UNKNOWN: { exit: 3, applied: "no", meaning: "a bucket that was not created" },
  CHECKPOINT_EXISTS: { exit: 4, applied: "no", meaning: "a checkpoint of that name" },
} as const satisfies Record<string, Code>;

/** The cluster could not do it now, or cannot tell whether it did. */
const conditions = {
  QUORUM_UNAVAILABLE: { exit: 6, applied: "no", meaning: "too few replicas can be reached" },
  SESSION_NOT_SATISFIED: { exit: 6, applied: "no", meaning: "replicas are older than the session" },
  OVERLOADED: { exit: 6, applied: "no", meaning: "too much at a time; try again a little later" },
  NOT_READY: { exit: 6, applied: "no", meaning: "the node is starting, or not yet a member" },
  HINTS_FULL: { exit: 6, applied: "no", meaning: "no room to keep writes for an absent owner" },
  DISK_FULL: { exit: 6, applied: "no", meaning: "too little free space to accept writes safely" },
  WRITE_TIMEOUT: { exit: 7, applied: "maybe", meaning: "too few replicas acknowledged in time" },
  READ_TIMEOUT: { exit: 7, applied: "no", meaning: "too few replicas answered in time" },
  CONNECTION_LOST: { exit: 7, applied: "maybe", meaning: "the node went away without an answer" },
  NO_ENDPOINT: { exit: 5, applied: "no", meaning: "no node could be reached" },
  CLOSED: { exit: 1, applied: "no", meaning: "the client or node was closed" },
  ABORTED: { exit: 130, applied: "maybe", meaning: "the caller gave up waiting" },
} as const satisfies Record<string, Code>;

/** Why two programs do not talk to each other. */
const strangers = {
  PROTOCOL_UNSUPPORTED: {
    exit: 2,
    applied: "no",
    meaning: "the other side speaks another version",
  },
  FRAME_INVALID: { exit: 1, applied: "no", meaning: "bytes that are no frame of the protocol" },
  ORIGIN_REFUSED: { exit: 8, applied: "no", meaning: "web pages may not connect" },
  TLS_FAILED: { exit: 8, applied: "no", meaning: "one side does not believe the other in TLS" },
  AUTH_REQUIRED: { exit: 8, applied: "no", meaning: "a node that wants a token or a certificate" },
  AUTH_FAILED: { exit: 8, applied: "no", meaning: "a token or certificate that does not hold" },
  FORBIDDEN: { exit: 8, applied: "no", meaning: "more than the role or its prefixes allow" },
  PEER_AUTH_FAILED: { exit: 8, applied: "no", meaning: "a node that did not prove to be one" },
  CLUSTER_MISMATCH: { exit: 2, applied: "no", meaning: "a node of another cluster" },
  NODE_UNKNOWN: { exit: 2, applied: "no", meaning: "a node number that is no member's" },
  NODE_ID_IN_USE: {
    exit: 2,
    applied: "no",
    meaning: "another live node has this number or address",
  },
  JOIN_ABORTED: { exit: 2, applied: "no", meaning: "the plan to let this node in was taken back" },
  CLOCK_SKEW: { exit: 2, applied: "no", meaning: "clocks that differ by more than a minute" },
} as const satisfies Record<string, Code>;

/** A node that cannot start. */
const starts = {
  CONFIG_INVALID: { exit: 2, applied: "no", meaning: "settings that are wrong; all are listed" },
  INSECURE_PERMISSIONS: { exit: 2, applied: "no", meaning: "a secret that others may read" },
  INSECURE_BIND: { exit: 2, applied: "no", meaning: "an open address without protection" },
  ADDRESS_UNAVAILABLE: { exit: 2, applied: "no", meaning: "the address cannot be listened on" },
  DATA_DIR_INVALID: { exit: 2, applied: "no", meaning: "a path that cannot hold a node's data" },
  DATA_DIR_NOT_EMPTY: { exit: 2, applied: "no", meaning: "a directory that holds something" },
  CHECKPOINT_INVALID: {
    exit: 1,
    applied: "no",
    meaning: "no checkpoint of a node, or a damaged one",
  },
  DATA_DIR_LOCKED: { exit: 2, applied: "no", meaning: "another process has the directory" },
  IDENTITY_MISMATCH: { exit: 2, applied: "no", meaning: "the directory is another node's" },
  FORMAT_TOO_NEW: { exit: 2, applied: "no", meaning: "written by a newer version of Everwrite" },
  RESOURCE_EXHAUSTED: { exit: 2, applied: "no", meaning: "a limit of the system is too low" },
  SEED_UNREACHABLE: { exit: 5, applied: "no", meaning: "none of the nodes to join answered" },
} as const satisfies Record<string, Code>;

/** A node's own trouble. */
const troubles = {
  CORRUPTION: { exit: 1, applied: "no", meaning: "bytes on disk are not what was written" },
  IO: { exit: 1, applied: "maybe", meaning: "the operating system refused a file operation" },
  LOG_FAILED: { exit: 1, applied: "maybe", meaning: "a log write failed; the node must restart" },
  INTERNAL: { exit: 1, applied: "maybe", meaning: "a bug of ours" },
} as const satisfies Record<string, Code>;

/** Each code: kvctl's exit code, and what is usually true of the operation. */
export const clusterCodes = {
  ...requests,
  ...conditions,
  ...strangers,
  ...starts,
  ...troubles,
} as const;

export type ClusterCode = keyof typeof clusterCodes;

export interface ClusterErrorOptions {
  readonly cause?: unknown;
  readonly applied?: Applied;
}

/** Every failure of a client, a node or a cluster. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
  readonly code: ClusterCode;
  readonly applied: Applied;

  constructor(code: ClusterCode, message: string, options: ClusterErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.applied = options.applied ?? clusterCodes[code].applied;
  }
}

/** Codes also come from nodes of other versions, so they may be anything. */
export function isClusterCode(code: string): code is ClusterCode {
  return Object.hasOwn(clusterCodes, code);
}

export function isClusterError(error: unknown, code?: ClusterCode): error is ClusterError {
  return error instanceof ClusterError && (code === undefined || error.code === code);
}
