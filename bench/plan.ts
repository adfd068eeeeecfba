/** What one child process is asked to do, and what it answers. Both travel as JSON. */
import type { Measurement, RowKey } from "./measurement.ts";
import type { PlanKind } from "./workloads.ts";

/** One process, one engine, one database, one round. */
export interface Plan {
  readonly kind: PlanKind;
  readonly engine: string;
  readonly round: number;
  readonly n: number;
  readonly valueBytes: number;
  readonly secondsMax: number;
  /** Empty, for the database; whoever asks removes it. */
  readonly directory: string;
  /** In the order in which they run. A fill plan has one. */
  readonly rows: readonly { readonly workload: string; readonly callers: number }[];
}

/** Sent as soon as a row is done, so that a crash loses only the row it is in. */
export interface RowDone extends RowKey {
  readonly kind: "row";
  readonly engine: string;
  readonly measurement: Measurement | undefined;
  /** The row failed, for this reason. */
  readonly failure?: string;
}
