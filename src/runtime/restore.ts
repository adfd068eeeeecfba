/**
 * Makes a node's directory of a checkpoint (checkpoint.ts): read and checked whole, copied beside
 * its place, brought in line, and moved there when all of it is durable.
 *
 * One node: it takes its place in the cluster that it belongs to. The copy lacks what the node has
 * acknowledged and voted since, so what it says of itself is not believed (../store/distrust.ts).
 *
 * A whole cluster: each node is restored from its own checkpoint of one name, under one label. That
 * makes a new cluster id of the old one, the same at every node: nodes and clients that
 * are left over from before are strangers to it, and no context of theirs is taken. What was
 * acknowledged before the checkpoint was begun is in it; hints are still delivered; nothing is
 * filled, since the copies are as complete as they were.
 */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { type Engine, openEngine, verifyEngine } from "../../native-free-engine/index.ts";
import type { NodeId } from "../core/ids.ts";
import { ownName, seenName } from "../core/members/lives.ts";
import { decodeVote, encodeVote } from "../core/members/vote.ts";
import { checkRing } from "../core/ring/check-ring.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { decodeRing, encodeRing } from "../core/wire/ring.ts";
import { ClusterError } from "../errors.ts";
import { distrust } from "../store/distrust.ts";
import { metaKey } from "../store/keyspace.ts";
import { copyFiles, lookAt, moveInPlace, oddEntryIn, removeDirectory } from "./checkpoint-files.ts";
import { encodeIdentity, type Identity, identityName } from "./identity.ts";
import { readIdentity } from "./node-store.ts";

export interface RestoreOptions {
  /** The directory node-ID of the checkpoint. */
  readonly checkpoint: string;
  /** The directory to be made; absent or empty. */
  readonly data: string;
  /** The whole cluster is restored, under this label. */
  readonly whole?: string | undefined;
  /** With `whole`: where members are to be reached from now on, by number. */
  readonly addresses?: ReadonlyMap<NodeId, string> | undefined;
}

export interface Restored {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly address: string;
  readonly epoch: number;
  readonly data: string;
}

interface Past {
  readonly identity: Identity;
  readonly ring: RingState;
}

/** Throws CHECKPOINT_INVALID or DATA_DIR_NOT_EMPTY, and leaves nothing behind. */
export async function restoreNode(options: RestoreOptions): Promise<Restored> {
  const data = resolve(options.data);
  refuseFull(data);
  await checkCheckpoint(options.checkpoint);
  const partial = `${data}.restoring`;
  refuseFull(partial);
  try {
    copyFiles(options.checkpoint, partial);
    const past = await bringInLine(partial, options);
    moveInPlace(partial, data);
    const { id, clusterId, address } = past.identity;
    return { id, clusterId, address, epoch: past.ring.epoch, data };
  } catch (error) {
    removeDirectory(partial);
    throw error;
  }
}

function refuseFull(path: string): void {
  if (["nothing", "empty directory"].includes(lookAt(path))) return;
  throw new ClusterError("DATA_DIR_NOT_EMPTY", `${path} is there and holds something`);
}

/** Every byte is read: a backup that is damaged is better known before the node stands on it. */
async function checkCheckpoint(path: string): Promise<void> {
  const found = lookAt(path);
  if (found !== "directory") throw invalid(path, found === "other" ? "a file" : found);
  const odd = oddEntryIn(path);
  if (odd !== undefined) throw invalid(path, `${join(path, odd)} is no plain file`);
  const report = await verifyEngine(path).catch((error: unknown) => {
    throw invalid(path, error instanceof Error ? error.message : String(error));
  });
  const [problem] = report.problems;
  if (problem !== undefined) throw invalid(path, problem.what);
}

function invalid(path: string, why: string): ClusterError {
  return new ClusterError("CHECKPOINT_INVALID", `${path} is no whole checkpoint: ${why}`);
}

async function bringInLine(path: string, options: RestoreOptions): Promise<Past> {
  const engine = await openEngine(path, { createIfMissing: false, durability: "sync" });
  try {
    const past = await readPast(engine, options.checkpoint);
    if (options.whole === undefined) await distrust(engine);
    else return await renew(engine, past, { ...options, label: options.whole });
    return past;
  } finally {
    await engine.close();
  }
}

async function readPast(engine: Engine, path: string): Promise<Past> {
  const identity = await readIdentity(engine, path).catch((error: Error) => {
    throw invalid(path, error.message);
  });
  const bytes = await engine.get(metaKey("ring"));
  const ring = bytes === undefined ? undefined : decodeRing(bytes);
  if (identity === undefined || ring === undefined || checkRing(ring).length > 0) {
    throw invalid(path, "it is not of a node that belongs to a cluster");
  }
  return { identity, ring };
}

/** The same past in a cluster of its own. */
async function renew(
  engine: Engine,
  { identity, ring }: Past,
  { label, addresses = new Map(), checkpoint }: RestoreOptions & { readonly label: string },
): Promise<Past> {
  const clusterId = clusterIdOf(ring.clusterId, label);
  const moved = (state: RingState): RingState => {
    const members = state.members.map((member) => {
      const address = member.state === "left" ? undefined : addresses.get(member.id);
      return address === undefined ? member : { ...member, address };
    });
    return { ...state, clusterId, members };
  };
  const next = moved(ring);
  const [fault] = checkRing(next);
  const self = next.members.find(({ id }) => id === identity.id);
  if (fault !== undefined || self === undefined) {
    throw invalid(checkpoint, `the ring would not be sound: ${fault ?? "it is no member"}`);
  }
  const unknown = [...addresses.keys()].find((id) => !ring.members.some((one) => one.id === id));
  if (unknown !== undefined) {
    throw new ClusterError("NODE_UNKNOWN", `node ${unknown} is no member of the cluster`);
  }
  const known: Identity = { ...identity, clusterId, address: self.address };
  const bytes = await engine.get(metaKey("vote"));
  const vote = bytes === undefined ? undefined : decodeVote(bytes, decodeRing);
  const { accepted } = vote ?? {};
  const kept = vote && {
    ...vote,
    accepted: accepted && { ...accepted, state: moved(accepted.state) },
  };
  await engine.batch(
    [
      { type: "put", key: metaKey(identityName), value: encodeIdentity(known) },
      { type: "put", key: metaKey("ring"), value: encodeRing(next) },
      kept === undefined
        ? { type: "del", key: metaKey("vote") }
        : { type: "put", key: metaKey("vote"), value: encodeVote(kept, encodeRing) },
      // They tell of each other's lives since their copies, which are of different moments.
      { type: "del", key: metaKey(ownName) },
      { type: "del", key: metaKey(seenName) },
    ],
    { sync: true },
  );
  return { identity: known, ring: next };
}

/** 128 bits that nobody had before, and every node of the restored cluster comes to. */
function clusterIdOf(before: string, label: string): string {
  return createHash("sha256").update(`${before}\0${label}`).digest("hex").slice(0, 32);
}
