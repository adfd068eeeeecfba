/**
 * The Disk port: all the engine knows of files. `node-disk.ts` is the real one, `memory-disk.ts`
 * the one that can crash, fail and rot.
 *
 * The durability contract, which every implementation keeps and the crash tests enforce:
 * - bytes written are visible to reads at once, durable only after `sync` of that file resolves;
 * - a name made, renamed or removed is durable only after `syncDirectory` of its directory;
 * - `close` makes nothing durable;
 * - after a failed `sync` nobody knows which bytes are durable, and a second `sync` proves nothing;
 * - a write may be short: it returns how many bytes it took, and callers go on from there.
 *
 * Methods whose names end in Sync finish before they return. On this class of machine a
 * page-cached 4 KiB `readSync` costs about 1 µs and an awaited read 40 to 55 µs, so the hot paths
 * ask synchronously and turn asynchronous only where the disk has proved slow.
 * Failures are thrown as Node's system errors (`code`: ENOENT, ENOSPC, EIO); callers wrap them.
 */

/** How a file is opened. `create` fails when the name exists; `reuse` writes an existing file. */
export type OpenMode = "read" | "create" | "reuse";

export interface DiskFile {
  /** Reads up to `length` bytes at `position` into `target` at `at`; short only at the end. */
  readSync(target: Uint8Array, at: number, length: number, position: number): number;
  read(target: Uint8Array, at: number, length: number, position: number): Promise<number>;
  /** Writes `length` bytes of `source` from `at` to `position`; may write fewer. */
  writeSync(source: Uint8Array, at: number, length: number, position: number): number;
  write(source: Uint8Array, at: number, length: number, position: number): Promise<number>;
  /** fdatasync: content, and the size needed to read it back. */
  syncSync(): void;
  sync(): Promise<void>;
  bytesSync(): number;
  /** Idempotent. Never throws. */
  closeSync(): void;
}

/** Returned by `lock`; held until `release`, and by the kernel only while the process lives. */
export interface DiskLock {
  release(): Promise<void>;
}

export interface Disk {
  openSync(path: string, mode: OpenMode): DiskFile;
  /** File names in a directory, sorted; no directories. Throws ENOENT when there is none. */
  listSync(directory: string): string[];
  existsSync(path: string): boolean;
  /** Makes the directory and its parents, and makes the new names durable. */
  makeDirectorySync(directory: string): void;
  /** Replaces `to` if it exists. */
  renameSync(from: string, to: string): void;
  /** A second name for the same bytes where the file system can, else a copy. */
  linkSync(from: string, to: string): void;
  removeSync(path: string): void;
  remove(path: string): Promise<void>;
  /** Removes an empty directory. */
  removeDirectorySync(directory: string): void;
  syncDirectorySync(directory: string): void;
  syncDirectory(directory: string): Promise<void>;
  /** Bytes an unprivileged writer may still use on the file system of `directory`. */
  freeBytes(directory: string): Promise<number>;
  /**
   * Takes the single-writer lock of a database directory, or throws an `EngineError` with code
   * LOCKED that names the holder (process id, host, since when).
   */
  lock(directory: string): Promise<DiskLock>;
}

/** Writes all of it, whatever the number of short writes that takes. */
export function writeFullySync(
  file: DiskFile,
  source: Uint8Array,
  at: number,
  length: number,
  position: number,
): void {
  for (let done = 0; done < length; ) {
    done += file.writeSync(source, at + done, length - done, position + done);
  }
}

/** Reads until `length` bytes or the end of the file; returns how many came. */
export function readFullySync(
  file: DiskFile,
  target: Uint8Array,
  at: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const got = file.readSync(target, at + done, length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** The same, the event loop going on meanwhile, into the beginning of `target`. */
export async function readFully(
  file: DiskFile,
  target: Uint8Array,
  length: number,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < length) {
    const got = await file.read(target, done, length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** All bytes of a file. */
export function readWhole(disk: Disk, path: string): Uint8Array {
  const file = disk.openSync(path, "read");
  try {
    const bytes = new Uint8Array(file.bytesSync());
    return bytes.subarray(0, readFullySync(file, bytes, 0, bytes.length, 0));
  } finally {
    file.closeSync();
  }
}
