/**
 * The Disk port over node:fs. Plain descriptors and callbacks, not FileHandle: its promises cost
 * more. Reads and writes go straight into and out of shared memory, too.
 *
 * A descriptor is closed only after the asynchronous calls that use it have come back: the system
 * hands a freed number to the next open, and a late write would land in somebody else's file.
 */
import fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import type { Disk, DiskFile, DiskLock, OpenMode } from "./disk.ts";
import { lockDirectory } from "./node-lock.ts";

const flags: Record<OpenMode, string> = { read: "r", create: "wx+", reuse: "r+" };
const dataMode = 0o644;
const isWindows = process.platform === "win32";
/** Virus scanners hold a file for moments; together about two seconds. */
const renameAttemptsMax = 100;
const renamePauseMs = 20;

const asyncUnlink = promisify(fs.unlink);
const asyncOpen = promisify(fs.open);
const asyncSync = promisify(fs.fsync);
const asyncStatfs = promisify(fs.statfs);

/** The disk of this machine. It has no state, so every caller may have its own. */
export function nodeDisk(): Disk {
  return {
    openSync: (path, mode) => new NodeFile(path, fs.openSync(path, flags[mode], dataMode)),
    listSync: listFiles,
    existsSync: (path) => fs.existsSync(path),
    makeDirectorySync: makeDirectory,
    renameSync: rename,
    linkSync: link,
    removeSync: (path) => fs.unlinkSync(path),
    remove: (path) => asyncUnlink(path),
    removeDirectorySync: (directory) => fs.rmdirSync(directory),
    syncDirectorySync,
    syncDirectory,
    freeBytes: async (directory) => {
      const system = await asyncStatfs(directory);
      return system.bavail * system.bsize;
    },
    lock: (directory): Promise<DiskLock> => lockDirectory(directory),
  };
}

class NodeFile implements DiskFile {
  readonly #path: string;
  #descriptor: number;
  #closing = false;
  /** Asynchronous calls under way. */
  #pending = 0;

  constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  readSync(target: Uint8Array, at: number, length: number, position: number): number {
    for (;;) {
      try {
        return fs.readSync(this.#open("read"), target, at, length, position);
      } catch (error) {
        // A signal can cut a read short on network file systems; libuv retries all but reads.
        if (codeOf(error) !== "EINTR") throw error;
      }
    }
  }

  async read(target: Uint8Array, at: number, length: number, position: number): Promise<number> {
    for (;;) {
      try {
        return await this.#run<number>("read", (descriptor, done) => {
          fs.read(descriptor, target, at, length, position, done);
        });
      } catch (error) {
        if (codeOf(error) !== "EINTR") throw error;
      }
    }
  }

  writeSync(source: Uint8Array, at: number, length: number, position: number): number {
    return fs.writeSync(this.#open("write"), source, at, length, position);
  }

  async write(source: Uint8Array, at: number, length: number, position: number): Promise<number> {
    return this.#run<number>("write", (descriptor, done) => {
      fs.write(descriptor, source, at, length, position, done);
    });
  }

  syncSync(): void {
    fs.fdatasyncSync(this.#open("fdatasync"));
  }

  async sync(): Promise<void> {
    await this.#run<void>("fdatasync", (descriptor, done) => {
      fs.fdatasync(descriptor, (error) => done(error, undefined));
    });
  }

  bytesSync(): number {
    return fs.fstatSync(this.#open("fstat")).size;
  }

  closeSync(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#pending === 0) this.#release();
  }

  #open(call: string): number {
    if (!this.#closing) return this.#descriptor;
    const message = `EBADF: file is closed, ${call} '${this.#path}'`;
    throw Object.assign(new Error(message), { code: "EBADF", syscall: call, path: this.#path });
  }

  #run<T>(
    call: string,
    start: (descriptor: number, done: (error: Error | null, value: T) => void) => void,
  ): Promise<T> {
    const descriptor = this.#open(call);
    return new Promise((resolve, reject) => {
      // Arguments out of range throw from here, before anything is under way.
      start(descriptor, (error, value) => {
        this.#pending -= 1;
        if (this.#closing && this.#pending === 0) this.#release();
        if (error) reject(error);
        else resolve(value);
      });
      this.#pending += 1;
    });
  }

  #release(): void {
    try {
      fs.closeSync(this.#descriptor);
    } catch {
      // Nothing durable hangs on close, and the descriptor is gone whatever it reports.
    }
    this.#descriptor = -1;
  }
}

function listFiles(directory: string): string[] {
  const entries = fs.readdirSync(directory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}

function makeDirectory(directory: string): void {
  const path = resolve(directory);
  const first = fs.mkdirSync(path, { recursive: true });
  if (first === undefined) {
    // It was there, perhaps made by a process that died before it could sync the name. A parent
    // that we may not read is somebody else's, and so was the making.
    try {
      syncDirectorySync(dirname(path));
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    return;
  }
  for (let made = path; ; made = dirname(made)) {
    syncDirectorySync(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

function rename(from: string, to: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      fs.renameSync(from, to);
      return;
    } catch (error) {
      const code = codeOf(error);
      const passing = code === "EPERM" || code === "EACCES" || code === "EBUSY";
      if (!isWindows || !passing || attempt === renameAttemptsMax) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, renamePauseMs);
    }
  }
}

/** Reasons why a file system has no second name for a file: then a copy has to do. */
const linkless = new Set(["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

function link(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch (error) {
    if (!linkless.has(codeOf(error) ?? "")) throw error;
    copyDurably(from, to);
  }
}

function copyDurably(from: string, to: string): void {
  fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL);
  try {
    const descriptor = fs.openSync(to, "r+");
    try {
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    fs.rmSync(to, { force: true });
    throw error;
  }
}

/** Windows cannot open a directory to sync it; NTFS journals its names. */
function syncDirectorySync(directory: string): void {
  if (isWindows) return;
  const descriptor = fs.openSync(join(directory, "."), "r");
  try {
    fs.fsyncSync(descriptor);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

async function syncDirectory(directory: string): Promise<void> {
  if (isWindows) return;
  const descriptor = await asyncOpen(join(directory, "."), "r");
  try {
    await asyncSync(descriptor);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Some network and FUSE file systems have no such call for directories: it cannot be had there. */
function isUnsupported(error: unknown): boolean {
  const code = codeOf(error);
  return code === "EINVAL" || code === "ENOTSUP" || code === "EOPNOTSUPP" || code === "ENOSYS";
}

function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return code === "EACCES" || code === "EPERM";
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
