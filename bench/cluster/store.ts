/**
 * A store of several local processes, as the cluster benchmark knows it: how its servers are
 * started, and how one client process writes and reads. An operation returns its answer or a
 * promise of it; the driver awaits it and asks `bytesIn` what came, so that no operation needs a
 * promise of its own around it.
 */
export interface RunningStore {
  /** Where clients connect, HOST:PORT each. */
  readonly endpoints: readonly string[];
  readonly pids: readonly number[];
  /** Ends all its processes; idempotent. */
  stop(): Promise<void>;
}

export interface ConnectRequest {
  readonly endpoints: readonly string[];
  /** The keys that will be written and read. */
  readonly keys: readonly string[];
  /** Operations in flight at most. */
  readonly callers: number;
}

export interface Operation {
  /** Of the key. No two writes of one key are under way at a time. */
  readonly index: number;
  /** Who of the callers it is, from 0. */
  readonly caller: number;
}

export interface StoreClient {
  write(operation: Operation, value: Buffer): unknown;
  /** `replicas`: how many must agree, where the store leaves the choice. */
  read(operation: Operation, replicas: number): unknown;
  /** The length of the value that an answer of `read` holds; -1 when it holds none. */
  bytesIn(answer: unknown): number;
  /** What its nodes have counted so far, by names of its own; absent where they count nothing. */
  counts?(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

export interface StoreInfo {
  readonly name: string;
  /** Its client, to be installed; absent for what needs none. */
  readonly package?: string;
  /** Its server, which has to be there, and the Debian package that brings it. */
  readonly server?: { readonly command: string; readonly debian: string };
  /** What a reader must know of its rows. */
  readonly notes: readonly string[];
  /** Rows that mean nothing for it. */
  readonly lacks?: readonly string[];
  /** `directory` is empty, and removed by whoever asks. */
  start(directory: string, options: StartOptions): Promise<RunningStore>;
  connect(request: ConnectRequest): Promise<StoreClient>;
}

export interface StartOptions {
  /** Servers that run under Node write their processor profiles here. */
  readonly profiles?: string;
}
