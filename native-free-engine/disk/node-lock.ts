/**
 * The single-writer lock of a database directory. Node has no flock, so three things together:
 *
 * 1. A registry of this thread, shared by all copies of this module, for the message.
 * 2. On Linux a listening abstract socket named after the directory's device and inode. Only one
 *    process in a network namespace can have it, and the kernel frees it when that process dies,
 *    however it dies. Nobody talks over it.
 * 3. The file LOCK with a record of the holder: what a refusal quotes, and the guard where there
 *    are no such sockets or the holder is in another namespace or on another host.
 *
 * The lock is never the file's inode, so removing the file releases nothing that others wait on:
 * the holder removes it while it still has the socket, and a leftover is taken over by rename, in
 * which only one can succeed.
 */
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import { resolve } from "node:path";
import { EngineError } from "../errors.ts";
import { systemClock } from "../system-clock.ts";
import type { DiskLock } from "./disk.ts";
import {
  decodeLockRecord,
  encodeLockRecord,
  judge,
  type LockRecord,
  type Witness,
} from "./lock-record.ts";
import { type LockHolder, lockedError } from "./locked.ts";

const registryKey = Symbol.for("everwrite.locks");
/** What a holder needs at most between making its file and filling it. */
const settleMs = 25;
const attemptsMax = 8;
const recordBytesMax = 4096;

export async function lockDirectory(directory: string): Promise<DiskLock> {
  const identity = identify(directory);
  const held = registry();
  const holder = held.get(identity);
  if (holder !== undefined) throw lockedError(directory, holder);
  const path = resolve(directory, "LOCK");
  const draft = describeSelf();
  held.set(identity, { ...draft, isSelf: true });
  let socket: net.Server | undefined;
  try {
    socket = await takeSocket(identity, directory, path);
    const record = socket === undefined ? draft : { ...draft, namespace: networkNamespace() };
    await takeFile(directory, path, record, socket !== undefined);
  } catch (error) {
    await closeSocket(socket);
    held.delete(identity);
    throw error;
  }
  let released: Promise<void> | undefined;
  return {
    release: () => {
      released ??= release(path, draft.nonce, socket).then(() => void held.delete(identity));
      return released;
    },
  };
}

/** The same directory by whatever path; device and inode are too wide for numbers on Windows. */
function identify(directory: string): string {
  let stat: fs.BigIntStats;
  try {
    stat = fs.statSync(directory, { bigint: true });
  } catch (cause) {
    throw new EngineError("DIRECTORY_INVALID", `${directory} cannot be locked: ${prose(cause)}`, {
      cause,
    });
  }
  if (stat.isDirectory()) return `${stat.dev}:${stat.ino}`;
  throw new EngineError("DIRECTORY_INVALID", `${directory} is not a directory`);
}

function registry(): Map<string, LockHolder> {
  const scope = globalThis as { [registryKey]?: Map<string, LockHolder> };
  scope[registryKey] ??= new Map();
  return scope[registryKey];
}

function describeSelf(): LockRecord {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? "",
    bootId: bootId(),
    namespace: "",
    hostname: os.hostname(),
    since: systemClock.now(),
    nonce: randomUUID(),
  };
}

/** undefined where the system has no such sockets; throws LOCKED when it is taken. */
async function takeSocket(
  identity: string,
  directory: string,
  path: string,
): Promise<net.Server | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    return await listen(`\0everwrite:${identity}`);
  } catch (error) {
    // A sandbox may forbid sockets; then the file has to do.
    if (codeOf(error) !== "EADDRINUSE") return undefined;
  }
  throw lockedError(directory, await socketHolder(path));
}

function listen(name: string): Promise<net.Server> {
  return new Promise((done, reject) => {
    // Whoever connects is no part of this and gets nothing.
    const server = net.createServer((stranger) => stranger.destroy());
    server.once("error", reject);
    // Not exclusive, a cluster's workers would all share the primary's socket, and so the lock.
    server.listen({ path: name, exclusive: true }, () => {
      server.off("error", reject);
      // A failed accept (too many open files) takes nothing from the lock.
      server.on("error", () => {});
      done(server);
    });
    server.unref();
  });
}

/** Who has the socket, going by the file, which the holder may just be writing. */
async function socketHolder(path: string): Promise<LockHolder | undefined> {
  const witness = makeWitness(false);
  for (let attempt = 1; attempt <= 3; attempt++) {
    const record = decodeLockRecord(readText(path) ?? "");
    if (record !== undefined && judge(record, witness) === "alive") return holderOf(record);
    await systemClock.sleep(settleMs);
  }
  return undefined;
}

async function takeFile(
  directory: string,
  path: string,
  record: LockRecord,
  hasSocket: boolean,
): Promise<void> {
  const witness = makeWitness(hasSocket);
  let isTakenOver = false;
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    if (makeFile(directory, path, record, hasSocket)) {
      if (hasSocket || !isTakenOver) return;
      // Another may have judged the same leftover and now have set our file aside instead.
      await systemClock.sleep(settleMs);
      if (isOurs(path, record.nonce)) return;
    }
    const found = readText(path);
    if (found === undefined) continue;
    await refuseIfHeld(directory, path, found, witness);
    if (readText(path) !== found) continue;
    isTakenOver = true;
    setAside(path, found, record.nonce);
  }
  throw lockedError(directory, undefined, `; ${path} changes all the time`);
}

/** False when there is one already. The file is complete, or empty for a moment. */
function makeFile(
  directory: string,
  path: string,
  record: LockRecord,
  hasSocket: boolean,
): boolean {
  try {
    fs.writeFileSync(path, encodeLockRecord(record), { flag: "wx", mode: 0o644 });
    return true;
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "EEXIST") return false;
    // The socket holds without the file, and a full disk must be open to be emptied.
    if (hasSocket && (code === "ENOSPC" || code === "EDQUOT")) return true;
    const isReadOnly = code === "EACCES" || code === "EPERM" || code === "EROFS";
    const isInvalid = isReadOnly || code === "ENOENT" || code === "ENOTDIR";
    const advice = isReadOnly ? "; open it readOnly, or make the directory writable" : "";
    const message = `${directory} cannot be locked: ${prose(cause)}${advice}`;
    throw new EngineError(isInvalid ? "DIRECTORY_INVALID" : "IO", message, { cause });
  }
}

/** Returns when the file is a leftover. */
async function refuseIfHeld(
  directory: string,
  path: string,
  text: string,
  witness: Witness,
): Promise<void> {
  const record = decodeLockRecord(text);
  if (record === undefined) {
    // Either its writer died in the middle or is in the middle, which takes no time: if the file
    // has changed after a pause, the caller looks at it again.
    await systemClock.sleep(settleMs);
    return;
  }
  const verdict = judge(record, witness);
  if (verdict === "dead") return;
  const holder = holderOf(record);
  const where = verdict === "unknowable" ? `on ${record.hostname} ` : "";
  const advice = `; if no process ${where}uses it any more, remove ${path} and open it again`;
  throw lockedError(directory, holder, holder.isSelf ? "" : advice);
}

/** Removes the file, unless it is no longer what was judged. */
function setAside(path: string, judged: string, nonce: string): void {
  const aside = `${path}.${nonce}`;
  try {
    fs.renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw new EngineError("IO", `${path} is a leftover, but stays: ${prose(error)}`, {
      cause: error,
    });
  }
  try {
    if (readText(aside) !== judged) fs.linkSync(aside, path);
  } catch {
    // There is a new file by now: whoever was set aside finds that out when it looks again.
  }
  fs.rmSync(aside, { force: true });
}

async function release(path: string, nonce: string, socket?: net.Server): Promise<void> {
  try {
    if (isOurs(path, nonce)) fs.unlinkSync(path);
  } catch {
    // A leftover names a process that is gone, or whose socket is free: nobody is kept out by it.
  }
  await closeSocket(socket);
}

function closeSocket(socket: net.Server | undefined): Promise<void> {
  return new Promise((done) => {
    if (socket === undefined) done();
    else socket.close(() => done());
  });
}

function isOurs(path: string, nonce: string): boolean {
  return decodeLockRecord(readText(path) ?? "")?.nonce === nonce;
}

/** undefined when there is no file; what cannot be read reads as empty. */
function readText(path: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, "r");
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : "";
  }
  try {
    const bytes = new Uint8Array(recordBytesMax);
    const length = fs.readSync(descriptor, bytes, 0, recordBytesMax, 0);
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch {
    return "";
  } finally {
    fs.closeSync(descriptor);
  }
}

function holderOf(record: LockRecord): LockHolder {
  const { pid, hostname, since } = record;
  const isHere = hostname === os.hostname() && record.bootId === bootId();
  const isSelf = isHere && pid === process.pid && record.startTime === (startTimeOf(pid) ?? "");
  return { pid, hostname, since, isSelf };
}

function makeWitness(hasSocket: boolean): Witness {
  const namespace = hasSocket ? networkNamespace() : "";
  return { hostname: os.hostname(), bootId: bootId(), namespace, startTimeOf };
}

function bootId(): string {
  return systemFile("/proc/sys/kernel/random/boot_id").trim();
}

function networkNamespace(): string {
  try {
    return fs.readlinkSync("/proc/self/ns/net");
  } catch {
    return "";
  }
}

function startTimeOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Not being allowed to signal a process proves that there is one.
    if (codeOf(error) === "ESRCH") return undefined;
  }
  // The name in the second field may hold blanks and brackets; after it come state (3) to start
  // time (22). A zombie holds nothing any more.
  const stat = systemFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : (fields[19] ?? "");
}

/** "" where the system has no such file. */
function systemFile(path: string): string {
  try {
    return fs.readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

function prose(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
