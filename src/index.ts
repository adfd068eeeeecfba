/**
 * The door of the package: a node of a cluster, the client of one, and the embedded engine. Each
 * is loaded when it is first used, so that a client loads neither the engine nor a server's parts,
 * and an embedded engine nothing of the cluster. What stands here at once is small: errors, types.
 */
import type {
  Engine,
  EngineOptions,
  SalvageReport,
  VerifyReport,
} from "../native-free-engine/index.ts";
import type { Client, ConnectOptions } from "./client/api.ts";
import type { NodeConfig } from "./runtime/config.ts";
import type { Restored, RestoreOptions } from "./runtime/restore.ts";
import type { RunningNode } from "./runtime/server.ts";

export {
  type EngineCode,
  EngineError,
  engineCodes,
  isEngineError,
} from "../native-free-engine/errors.ts";
export type {
  Engine,
  EngineOptions,
  EngineStats,
  SalvageReport,
  VerifyReport,
} from "../native-free-engine/index.ts";
export type {
  Bucket,
  BucketProperties,
  BytesInput,
  CallOptions,
  Client,
  ConnectOptions,
  DeleteOptions,
  Found,
  GetOptions,
  PutOptions,
  ScanOptions,
  Session,
  Stored,
  TlsOptions,
} from "./client/api.ts";
export { Context } from "./client/context.ts";
export { type Crdt, fromSiblings } from "./client/crdt/crdt.ts";
export { type GSet, gSet } from "./client/crdt/g-set.ts";
export { type OrSet, orSet } from "./client/crdt/or-set.ts";
export { type PnCounter, pnCounter } from "./client/crdt/pn-counter.ts";
export { type ResolverName, resolvers } from "./client/resolve/resolver.ts";
export type { Resolver, WrittenValue } from "./client/resolve/sibling.ts";
export type { DescribedVersions } from "./core/admin/describe.ts";
export type { Plan } from "./core/admin/plan.ts";
export type { NodeStatus, Status } from "./core/admin/status.ts";
export type { BucketRecord, Member, RingState } from "./core/ring/ring-state.ts";
export {
  type Applied,
  type ClusterCode,
  ClusterError,
  clusterCodes,
  isClusterError,
} from "./errors.ts";
export type { NodeConfig } from "./runtime/config.ts";
export type { Restored, RestoreOptions } from "./runtime/restore.ts";
export type { RunningNode } from "./runtime/server.ts";

/**
 * Starts a node: founds a cluster, joins one, or goes on in the one that its directory belongs to.
 * Resolves once it serves.
 */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  const { startNode: start } = await import("./runtime/server.ts");
  return start(config);
}

/** Connects to a cluster through any of its nodes, `HOST:PORT` each, with commas or as a list. */
export async function connect(
  endpoints: string | readonly string[],
  options?: ConnectOptions,
): Promise<Client> {
  const { connect: open } = await import("./client/client.ts");
  return open(endpoints, options);
}

/** Makes a node's directory of a checkpoint; for that node, or for a whole cluster (`whole`). */
export async function restoreNode(options: RestoreOptions): Promise<Restored> {
  const { restoreNode: restore } = await import("./runtime/restore.ts");
  return restore(options);
}

/** As in "everwrite/engine": opens a database directory of this process alone. */
export async function openEngine(location: string, options?: EngineOptions): Promise<Engine> {
  const { openEngine: open } = await import("../native-free-engine/index.ts");
  return open(location, options);
}

/** Reads every byte of a database and checks it, without changing anything. */
export async function verifyEngine(location: string): Promise<VerifyReport> {
  const { verifyEngine: verify } = await import("../native-free-engine/index.ts");
  return verify(location);
}

/** Makes a damaged database openable again with everything that can still be read. */
export async function salvageEngine(location: string): Promise<SalvageReport> {
  const { salvageEngine: salvage } = await import("../native-free-engine/index.ts");
  return salvage(location);
}

/** Removes a database: its own files, and the directory if nothing else is in it. */
export async function destroyEngine(location: string): Promise<void> {
  const { destroyEngine: destroy } = await import("../native-free-engine/index.ts");
  return destroy(location);
}
