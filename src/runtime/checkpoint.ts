/**
 * Checkpoints of a node at work: a copy of its directory, tables linked and not copied, under
 * BACKUPS/NAME/node-ID. It is made under another name and gets its own when it is whole, so what
 * bears the name of a checkpoint is one. It holds the cluster's secrets, as the directory does, and
 * so is for its owner alone. restore.ts makes directories of checkpoints again.
 */
import { basename, dirname, join, resolve } from "node:path";
import type { Engine } from "../../native-free-engine/index.ts";
import type { NodeId } from "../core/ids.ts";
import { ClusterError } from "../errors.ts";
import {
  bytesIn,
  lookAt,
  makeClosedDirectory,
  moveInPlace,
  removeDirectory,
} from "./checkpoint-files.ts";

export interface CheckpointMade {
  readonly path: string;
  readonly bytes: number;
}

/** Where a node puts its checkpoints unless it is told: beside its directory, for links. */
export function backupsOf(data: string): string {
  const whole = resolve(data);
  return join(dirname(whole), `${basename(whole)}-checkpoints`);
}

/** Makes them one after the other. A name was checked where the command was taken. */
export function checkpointsOf(
  engine: Pick<Engine, "checkpoint">,
  { backups, id }: { readonly backups: string; readonly id: NodeId },
): (name: string) => Promise<CheckpointMade> {
  let last: Promise<unknown> = Promise.resolve();
  return (name) => {
    const made = last.then(() => makeCheckpoint(engine, join(resolve(backups), name), id));
    last = made.catch(() => undefined);
    return made;
  };
}

async function makeCheckpoint(
  engine: Pick<Engine, "checkpoint">,
  parent: string,
  id: NodeId,
): Promise<CheckpointMade> {
  const path = join(parent, `node-${id}`);
  const partial = join(parent, `.node-${id}.partial`);
  try {
    makeClosedDirectory(parent);
    if (lookAt(path) !== "nothing") {
      throw new ClusterError("CHECKPOINT_EXISTS", `${path} is there already; take another name`);
    }
    // What an earlier process did not finish.
    removeDirectory(partial);
    makeClosedDirectory(partial);
    await engine.checkpoint(partial);
    moveInPlace(partial, path);
    return { path, bytes: bytesIn(path) };
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    removeDirectory(partial);
    throw new ClusterError("IO", `no checkpoint at ${path}: ${whyOf(error)}`, {
      cause: error,
      applied: "no",
    });
  }
}

function whyOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (!text.includes("EXDEV")) return text;
  return `it must be on the file system of the node's directory, for links (${text})`;
}
