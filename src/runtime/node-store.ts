/** Opens a node's directory: its engine, and what it says of itself. */
import { type Engine, isEngineError, openEngine } from "../../native-free-engine/index.ts";
import { type ClusterCode, ClusterError } from "../errors.ts";
import { metaKey } from "../store/keyspace.ts";
import { checkFormat } from "../store/store-format.ts";
import type { Settings } from "./config.ts";
import { checkOpenFiles, prepareDirectory } from "./files.ts";
import { decodeIdentity, type Identity, identityName } from "./identity.ts";

/** The engine's codes as a node's. */
const codes: Readonly<Record<string, ClusterCode>> = {
  LOCKED: "DATA_DIR_LOCKED",
  DIRECTORY_INVALID: "DATA_DIR_INVALID",
  FORMAT_TOO_NEW: "FORMAT_TOO_NEW",
  CORRUPTION: "CORRUPTION",
  DISK_FULL: "DISK_FULL",
  IO: "IO",
  // A disk may take the manifest and have no room left for the log.
  LOG_FAILED: "LOG_FAILED",
  WORKER: "IO",
  OPTION_INVALID: "CONFIG_INVALID",
};

export async function openNodeEngine(settings: Settings): Promise<Engine> {
  checkOpenFiles();
  prepareDirectory(settings.data);
  const { memtableBytes, cacheBytes, durability } = settings;
  try {
    return await openEngine(settings.data, {
      durability,
      ...(memtableBytes === undefined ? {} : { memtableBytes }),
      ...(cacheBytes === undefined ? {} : { cacheBytes }),
    });
  } catch (error) {
    if (!isEngineError(error)) throw error;
    throw new ClusterError(codes[error.code] ?? "INTERNAL", error.message, { cause: error });
  }
}

/** Undefined in a directory without a past. Rejects when it holds what is no node's. */
export async function readIdentity(
  engine: Engine,
  directory: string,
): Promise<Identity | undefined> {
  await checkFormat(engine);
  const bytes = await engine.get(metaKey(identityName));
  return bytes === undefined ? undefined : decodeIdentity(bytes, directory);
}
