/** The state of a database, apart from the entries themselves: what the manifest records. */
import type { SealedLog } from "./log/replay.ts";
import type { Version } from "./version.ts";

/** Everything the manifest knows. */
export interface ManifestState {
  readonly databaseId: string;
  readonly hashSeed: number;
  readonly version: Version;
  readonly nextFile: number;
  readonly lastSequence: number;
  readonly logNumber: number;
  readonly sealedLogs: readonly SealedLog[];
}
