/** What a command is given, and how it gets at the database it was told to use. */
import type { Engine } from "../native-free-engine/index.ts";
import { usage } from "./exit.ts";
import type { Output } from "./output.ts";

export interface Invocation {
  /** The argument of --db. */
  readonly db: string | undefined;
  /** The argument of --endpoints: nodes of a cluster. */
  readonly endpoints: string | undefined;
  readonly args: readonly (string | undefined)[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly output: Output;
  /**
   * From now on an interrupt calls this instead of ending the process, so that the command can
   * finish what it holds. A second interrupt ends it anyway.
   */
  onInterrupt(stop: () => void): void;
}

/** A command does its work and says with which exit code kvctl is to end. */
export type Run = (invocation: Invocation) => Promise<number>;

/** `read`: beside a live writer, without the lock. `create`: made where there is none. */
export type Mode = "read" | "write" | "create";

export async function withDatabase<T>(
  invocation: Invocation,
  mode: Mode,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const location = databaseOf(invocation);
  // Loaded here and not above: help, usage errors and the cluster's commands start without it.
  const { openEngine } = await import("../native-free-engine/index.ts");
  const engine = await openEngine(location, {
    readOnly: mode === "read",
    createIfMissing: mode === "create",
  });
  let result: T;
  try {
    result = await use(engine);
  } catch (error) {
    // What failed first is the news; a close that fails after it says the same again.
    await engine.close().catch(() => {});
    throw error;
  }
  await engine.close();
  return result;
}

export function databaseOf({ db, endpoints }: Invocation): string {
  if (db !== undefined && db !== "") return db;
  if (endpoints !== undefined && endpoints !== "") {
    throw usage(
      "this command works on a database directory, not on a cluster",
      "name the directory with --db DIR",
    );
  }
  throw usage(
    "which database?",
    "name its directory with --db DIR (KVCTL_DB), or nodes with -e HOST:PORT (KVCTL_ENDPOINTS)",
  );
}

/** Options of the verbs that mean something on one kind of place only. */
const ofClusters = [
  ...["bucket", "r", "w", "strict", "timeout", "context", "blind", "siblings", "resolve"],
  "node",
];
const ofDirectories = ["sync", "gte", "lt", "reverse"];

/** Whether the verb is meant for a cluster; naming both kinds of place is a mistake. */
export function isForCluster({ db, endpoints, options }: Invocation): boolean {
  const hasDirectory = db !== undefined && db !== "";
  const hasNodes = endpoints !== undefined && endpoints !== "";
  if (hasDirectory && hasNodes) {
    throw usage("--db and -e exclude each other", "name a directory or nodes, not both");
  }
  const foreign = hasNodes ? ofDirectories : hasDirectory ? ofClusters : [];
  const misplaced = foreign.find((name) => options[name] !== undefined);
  if (misplaced !== undefined) {
    const why = hasNodes
      ? "is for a directory (--db): a cluster has no order of keys, and syncs each write"
      : "is for a cluster (-e HOST:PORT)";
    throw usage(`--${misplaced} ${why}`);
  }
  return hasNodes;
}
