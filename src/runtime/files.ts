/**
 * What the runtime asks of the file system: its directory (for itself alone, since it holds the
 * cluster's secrets), a configuration file, and how many files the system lets it open.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { ClusterError } from "../errors.ts";
import { invalidConfig } from "./config.ts";
import { parseStrictJson } from "./strict-json.ts";

/** Enough for the tables of the engine and a few hundred connections. */
const openFilesMin = 1024;
/** Bits by which others than the owner may read, or write. */
const othersRead = 0o044;
const othersWrite = 0o022;
const others = 0o077;
const fileBytesMax = 4 << 20;

/** Makes the directory if need be, and refuses one that others could read secrets in. */
export function prepareDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    // Nothing is in it yet that anybody relied on, so it may be closed without asking.
    if (readdirSync(path).length === 0) chmodSync(path, 0o700);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new ClusterError("DATA_DIR_INVALID", `${path} cannot hold a node's data: ${said}`, {
      cause: error,
    });
  }
  const mode = statSync(path).mode & 0o777;
  if (process.platform !== "win32" && (mode & others) !== 0) {
    const digits = mode.toString(8).padStart(4, "0");
    throw new ClusterError(
      "INSECURE_PERMISSIONS",
      `${path} is mode ${digits}, but holds secrets of the cluster: chmod 700 ${path}`,
    );
  }
}

export function readConfigFile(path: string): Readonly<Record<string, unknown>> {
  const text = readSettingFile(path);
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch (error) {
    throw invalidConfig([`${path}: ${error instanceof Error ? error.message : error}`]);
  }
  // It holds paths and numbers and may be read, but whoever writes it rules the node.
  refuseOpenFile(path, { bits: othersWrite, why: "others may change the node's settings" });
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw invalidConfig([`${path} must hold one JSON object`]);
}

/** A file with a secret in it. Throws CONFIG_INVALID, or INSECURE_PERMISSIONS. */
export function readSecretFile(path: string): string {
  const text = readSettingFile(path);
  refuseOpenFile(path, { bits: othersRead | othersWrite, why: "it holds secrets" });
  return text;
}

/** A file that a setting names. Throws CONFIG_INVALID when it cannot be read. */
export function readSettingFile(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > fileBytesMax) throw new Error(`it has ${size} bytes, more than ${fileBytesMax}`);
    return readFileSync(path, "utf8");
  } catch (error) {
    throw invalidConfig([`${path}: ${error instanceof Error ? error.message : error}`]);
  }
}

/** Changes whenever the file does; the same for all files that are not there. */
export function markOfFile(path: string): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(path);
    return [mtimeMs, ctimeMs, size, ino].join(" ");
  } catch {
    return "none";
  }
}

function refuseOpenFile(
  path: string,
  { bits, why }: { readonly bits: number; readonly why: string },
): void {
  const { mode: all, uid } = statSync(path);
  const mode = all & 0o777;
  // What an orchestrator hands over is root's, and readable through a group of the process's own.
  const isHandedOver = uid === 0 && process.getuid?.() !== 0;
  const wrong = isHandedOver ? bits & ~0o040 : bits;
  if (process.platform === "win32" || (mode & wrong) === 0) return;
  const digits = mode.toString(8).padStart(4, "0");
  const message = `${path} is mode ${digits}, but ${why}: chmod 600 ${path}`;
  throw new ClusterError("INSECURE_PERMISSIONS", message);
}

/** Running out of files later would refuse clients or fail a flush: better said at the start. */
export function checkOpenFiles(): void {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return;
  }
  const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.NaN);
  if (soft < openFilesMin) {
    throw new ClusterError(
      "RESOURCE_EXHAUSTED",
      `only ${soft} files may be open at a time: ulimit -n ${openFilesMin} or more`,
    );
  }
}
