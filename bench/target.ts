/**
 * What the benchmark asks of an engine. The same calls for all of them, so that the loop around
 * them is the same code; where an engine lacks an operation the member is absent and the row
 * shows a dash. An operation may return its answer or a promise of it: the driver awaits it.
 */
export interface OpenRequest {
  readonly directory: string;
  /** Every put of this row must survive a power cut. */
  readonly durable: boolean;
}

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface ScanRequest {
  /** Begin at the first key at or above this one (at or below, in reverse). */
  readonly from?: Buffer;
  readonly reverse?: boolean;
  /** At most so many entries; absent for all. */
  readonly count?: number;
}

export interface Target {
  put(key: Buffer, value: Buffer): unknown;
  /** As durable as the row says: survives a power cut once it resolves. */
  putDurable?: ((key: Buffer, value: Buffer) => unknown) | undefined;
  delete(key: Buffer): unknown;
  batch(entries: readonly Entry[]): unknown;
  get(key: Buffer): unknown;
  getSync?: ((key: Buffer) => unknown) | undefined;
  getMany?: ((keys: readonly Buffer[]) => unknown) | undefined;
  /** Reads keys and values, and resolves to how many entries there were. */
  scan(request: ScanRequest): Promise<number>;
  /** Resolves once no flush or compaction runs or is due. Absent: it never has such work. */
  drain?: (() => Promise<void>) | undefined;
  /** What the engine says of itself, kept with the results. */
  describe?(): Readonly<Record<string, number | string>>;
  close(): Promise<void>;
}

/** How an engine is known in tables, and what a reader must know of its rows. */
export interface TargetInfo {
  readonly name: string;
  /** The package to install; absent for what needs none. */
  readonly package?: string;
  readonly notes: readonly string[];
  /** How many times quicker than the usual engine it is, for forecasts; 1 unless given. */
  readonly speed?: number;
  open(request: OpenRequest): Promise<Target>;
}
