/**
 * The mark of a store in an engine: a record of meta that says of which version its records are.
 * It tells a node's directory from a database that a program embeds.
 */
import type { Engine } from "../../native-free-engine/index.ts";
import { ClusterError } from "../errors.ts";
import { kindMeta, metaKey } from "./keyspace.ts";

const name = "store";
const mark = "everwrite-store";
const version = 2;

export type Format =
  | { readonly kind: "store" }
  /** Nothing is in the engine but what a node says of itself. */
  | { readonly kind: "empty" }
  | { readonly kind: "other" }
  | { readonly kind: "other-version"; readonly version: string };

export async function formatOf(engine: Engine): Promise<Format> {
  const found = await engine.get(metaKey(name));
  if (found !== undefined) {
    const [first, second] = new TextDecoder().decode(found).split(" ");
    if (first !== mark) return { kind: "other" };
    if (second === String(version)) return { kind: "store" };
    return { kind: "other-version", version: `${second}` };
  }
  // Records of meta may come before the mark: the runtime saves who the node is, and its ring.
  const scan = engine.scan({ gte: Uint8Array.of(kindMeta + 1), limit: 1, values: false });
  const pairs = await scan.nextMany(1);
  await scan.close();
  return { kind: pairs.length === 0 ? "empty" : "other" };
}

/** Whether a node keeps its data in this engine; then only nodes may write to it. */
export async function isNodeDirectory(engine: Engine): Promise<boolean> {
  const { kind } = await formatOf(engine);
  return kind === "store" || kind === "other-version";
}

/** Marks an empty engine; refuses one that holds anything else. */
export async function checkFormat(engine: Engine): Promise<void> {
  const format = await formatOf(engine);
  if (format.kind === "empty") {
    await engine.put(metaKey(name), `${mark} ${version}`, { sync: true });
  } else if (format.kind === "other") {
    throw new ClusterError(
      "DATA_DIR_INVALID",
      "the directory holds an embedded database, not a node of a cluster: take another one, and " +
        "bring the data over with kvctl export and import",
    );
  } else if (format.kind === "other-version") throw refusalOf(format.version);
}

/** Why a store of another version is not read. */
export function refusalOf(found: string): ClusterError {
  const message = `the store is of version ${found}, this program reads ${version}`;
  if (!(Number(found) < version)) return new ClusterError("FORMAT_TOO_NEW", message);
  const advice = "export its data with the version that wrote it, and import that into a new one";
  return new ClusterError("DATA_DIR_INVALID", `${message} and none before it: ${advice}`);
}
