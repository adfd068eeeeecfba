/**
 * Who a directory belongs to: one record in its engine, written before the node first speaks as a
 * member, and at each start. It holds the keys that seal contexts, so the directory is closed to
 * others.
 */
import { randomBytes } from "node:crypto";
import type { MacKey } from "../core/context-token.ts";
import type { Millis, NodeId } from "../core/ids.ts";
import { ClusterError } from "../errors.ts";
import type { MacKeys } from "./contexts.ts";

export interface Identity {
  readonly clusterId: string;
  readonly id: NodeId;
  /** Where members reach it, as the ring says. */
  readonly address: string;
  /** Of the latest process on this directory; the next one's is later, whatever its clock says. */
  readonly started: Millis;
  /** They seal contexts. */
  readonly contextKeys: MacKeys;
}

/** The name of its record, by which a directory is known to be a node's. */
export const identityName = "node";
/** There while a node without an identity asks to be let in: the number of its attempt. */
export const joiningName = "joining";

const version = 1;
const macKeyBytes = 16;

export function newClusterId(): string {
  return randomBytes(16).toString("hex");
}

export function newMacKey(number = 1): MacKey {
  return { number, bytes: new Uint8Array(randomBytes(macKeyBytes)) };
}

export function encodeIdentity(identity: Identity): Uint8Array {
  const contextKeys = encodeMacKeys(identity.contextKeys);
  return new TextEncoder().encode(JSON.stringify({ version, ...identity, contextKeys }));
}

/** Throws FORMAT_TOO_NEW or CORRUPTION, naming the directory. */
export function decodeIdentity(bytes: Uint8Array, directory: string): Identity {
  const damaged = `${directory}: the record of the node's identity is damaged`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ClusterError("CORRUPTION", damaged, { cause });
  }
  const value = (parsed ?? {}) as Record<string, unknown>;
  if (typeof value["version"] === "number" && value["version"] > version) {
    const message = `${directory} was written by a newer version of Everwrite; use that one`;
    throw new ClusterError("FORMAT_TOO_NEW", message);
  }
  const { clusterId, id, address, started } = value;
  const contextKeys = decodeMacKeys(value["contextKeys"]);
  const isWhole =
    typeof clusterId === "string" &&
    /^[0-9a-f]{32}$/.test(clusterId) &&
    typeof id === "number" &&
    typeof address === "string" &&
    typeof started === "number" &&
    contextKeys !== undefined;
  if (!isWhole) throw new ClusterError("CORRUPTION", damaged);
  return { clusterId, id, address, started, contextKeys };
}

/** As JSON can hold them. */
export function encodeMacKeys(keys: MacKeys) {
  return keys.map(({ number, bytes }) => ({ number, key: Buffer.from(bytes).toString("hex") }));
}

export function decodeMacKeys(value: unknown): MacKeys | undefined {
  if (!Array.isArray(value)) return undefined;
  const keys: MacKey[] = [];
  for (const entry of value as unknown[]) {
    const { number, key } = (entry ?? {}) as Record<string, unknown>;
    if (typeof number !== "number" || typeof key !== "string") return undefined;
    const bytes = new Uint8Array(Buffer.from(key, "hex"));
    if (bytes.length !== macKeyBytes) return undefined;
    keys.push({ number, bytes });
  }
  const [newest, ...older] = keys;
  return newest === undefined ? undefined : [newest, ...older];
}
