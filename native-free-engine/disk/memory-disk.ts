/**
 * A disk in memory that keeps the Disk port's durability contract to the letter and no further:
 * it can lose what was not synced, fail any operation, run full, be slow, and rot.
 *
 *   const disk = new MemoryDisk();
 *   disk.failAt(17, "crash");            // operations count from 1
 *   try { await script(disk); } catch { }
 *   await recover(disk.crash({ survival: 0.5, random }));
 *
 * `crash` changes nothing: many different crashes can be had from one moment.
 */

import type { Clock } from "../clock.ts";
import { EngineError } from "../errors.ts";
import { systemClock } from "../system-clock.ts";
import type { Disk, DiskFile, DiskLock, OpenMode } from "./disk.ts";
import { type LockHolder, lockedError } from "./locked.ts";
import { Directory } from "./memory-directory.ts";
import {
  type Fault,
  MemoryFaults,
  type ReadFault,
  systemError,
  type Verb,
} from "./memory-faults.ts";
import { MemoryFile, type Schedule } from "./memory-file.ts";
import { type Coin, Inode } from "./memory-inode.ts";

export { DiskCrashed, type Fault, type ReadFault } from "./memory-faults.ts";

export interface MemoryDiskOptions {
  /** What all files together may take. Default: no limit. */
  readonly capacityBytes?: number;
  /** Keep the names of all operations in `journal`. */
  readonly journal?: boolean;
  /** Called before each operation is counted: one run can yield the crashes of all moments. */
  readonly watch?: (() => void) | undefined;
  /** When asynchronous calls do their work. Default: in the next microtask. */
  readonly schedule?: Schedule;
  /** What its locks are dated by. Default: the time of the machine. */
  readonly now?: () => number;
}

export interface CrashOptions {
  /** The chance of each unsynced sector and name to be there afterwards. */
  readonly survival: number;
  /** From 0 up to 1; needed where chance decides. */
  readonly random?: () => number;
}

/** A clock that a slow disk can push on while a synchronous read holds everybody up. */
export interface SteerableClock extends Clock {
  advance(ms: number): void;
}

export class MemoryDisk implements Disk {
  /** What all files together may take; may be changed at any time. */
  capacityBytes: number;
  readonly #options: MemoryDiskOptions;
  readonly #schedule: Schedule;
  readonly #faults: MemoryFaults;
  readonly #locks = new Map<Directory, LockHolder>();
  #root = new Directory();
  #slowness: { readonly ms: number; readonly clock: SteerableClock } | undefined;

  constructor(options: MemoryDiskOptions = {}) {
    this.#options = options;
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#schedule = options.schedule ?? nextMicrotask;
    this.#faults = new MemoryFaults(options.journal ?? false, options.watch);
  }

  /** Writes, syncs and changes of names so far. */
  get operations(): number {
    return this.#faults.operations;
  }

  get reads(): number {
    return this.#faults.reads;
  }

  /** `write 000003.log 0+4096`, …: operation n is at n - 1. Empty unless asked for. */
  get journal(): readonly string[] {
    return this.#faults.journal;
  }

  /** Fails operation n, counted from 1. A crashing write leaves this part of it behind. */
  failAt(operation: number, fault: Fault, options: { readonly torn?: number } = {}): void {
    this.#faults.plan(operation, fault, options.torn ?? 0);
  }

  failReadAt(read: number, fault: ReadFault): void {
    this.#faults.planRead(read, fault);
  }

  /** Ends sticky faults and forgets planned ones. */
  heal(): void {
    this.#faults.heal();
  }

  /** Each read takes so long from now on; 0 ends it. */
  slowReads(ms: number, clock: SteerableClock): void {
    this.#slowness = ms > 0 ? { ms, clock } : undefined;
  }

  /** What a power cut at this moment would leave, as a new disk without locks and faults. */
  crash(options: CrashOptions): MemoryDisk {
    const left = this.#successor();
    left.#root = this.#root.afterCrash(coinOf(options), new Map());
    return left;
  }

  /** The same disk in the same state, unsynced bytes and all, without locks and faults. */
  clone(watch?: () => void): MemoryDisk {
    const twin = this.#successor(watch);
    twin.#root = this.#root.clone(new Map());
    return twin;
  }

  /** All files, as absolute paths, sorted. */
  files(): string[] {
    const paths: string[] = [];
    const visit = (directory: Directory, prefix: string): void => {
      for (const [name, node] of directory.entries()) {
        if (node instanceof Directory) visit(node, `${prefix}${name}/`);
        else paths.push(prefix + name);
      }
    };
    visit(this.#root, "/");
    return paths.sort();
  }

  /** A copy of what reads see. */
  bytesOf(path: string): Uint8Array {
    const inode = this.#inode(path, "open");
    const bytes = new Uint8Array(inode.size);
    inode.read(bytes, 0, bytes.length, 0);
    return bytes;
  }

  /** Puts these bytes in place of the file's, durably and for open files too, or makes the file. */
  replace(path: string, bytes: Uint8Array): void {
    const { directory, name } = this.#parent(path, "open");
    const node = directory.get(name);
    const inode = node instanceof Inode ? node : new Inode();
    inode.replace(bytes);
    if (inode === node) return;
    directory.change([[name, inode]]);
    directory.sync(directory.mark());
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    this.#faults.assertPowered();
    const inode = mode === "create" ? this.#create(path) : this.#inode(path, "open");
    return new MemoryFile(nameOf(path), mode !== "read", inode, {
      faults: this.#faults,
      schedule: this.#schedule,
      room: () => this.capacityBytes - this.#usedBytes(),
      hold: () => this.#slowness?.clock.advance(this.#slowness.ms),
      wait: () => this.#slowness?.clock.sleep(this.#slowness.ms),
    });
  }

  listSync(directory: string): string[] {
    this.#faults.assertPowered();
    const files: string[] = [];
    for (const [name, node] of this.#directory(directory, "scandir").entries()) {
      if (node instanceof Inode) files.push(name);
    }
    return files.sort();
  }

  existsSync(path: string): boolean {
    this.#faults.assertPowered();
    return this.#find(path) !== undefined;
  }

  makeDirectorySync(directory: string): void {
    this.#faults.assertPowered();
    let at = this.#root;
    for (const name of partsOf(directory)) {
      let next = at.get(name);
      if (next === undefined) {
        this.#admit("makeDirectory", directory);
        next = new Directory();
        at.change([[name, next]]);
        at.sync(at.mark());
      }
      if (next instanceof Inode) throw systemError("ENOTDIR", "mkdir", directory);
      at = next;
    }
  }

  renameSync(from: string, to: string): void {
    this.#faults.assertPowered();
    const source = this.#parent(from, "rename");
    const target = this.#parent(to, "rename");
    const node = source.directory.get(source.name);
    if (node === undefined) throw systemError("ENOENT", "rename", from);
    const replaced = target.directory.get(target.name);
    if (replaced instanceof Directory && !replaced.isEmpty) {
      throw systemError("ENOTEMPTY", "rename", to);
    }
    this.#admit("rename", `${nameOf(from)} -> ${nameOf(to)}`);
    if (replaced === node) return;
    if (source.directory === target.directory) {
      source.directory.change([
        [source.name, undefined],
        [target.name, node],
      ]);
    } else {
      target.directory.change([[target.name, node]]);
      source.directory.change([[source.name, undefined]]);
    }
  }

  linkSync(from: string, to: string): void {
    this.#faults.assertPowered();
    const inode = this.#inode(from, "link");
    const { directory, name } = this.#parent(to, "link");
    if (directory.get(name) !== undefined) throw systemError("EEXIST", "link", to);
    this.#admit("link", `${nameOf(from)} -> ${nameOf(to)}`);
    directory.change([[name, inode]]);
  }

  removeSync(path: string): void {
    this.#faults.assertPowered();
    this.#inode(path, "unlink");
    const { directory, name } = this.#parent(path, "unlink");
    this.#admit("remove", name);
    directory.change([[name, undefined]]);
  }

  remove(path: string): Promise<void> {
    return this.#schedule(() => this.removeSync(path));
  }

  removeDirectorySync(path: string): void {
    this.#faults.assertPowered();
    if (!this.#directory(path, "rmdir").isEmpty) throw systemError("ENOTEMPTY", "rmdir", path);
    const { directory, name } = this.#parent(path, "rmdir");
    this.#admit("removeDirectory", name);
    directory.change([[name, undefined]]);
  }

  syncDirectorySync(path: string): void {
    this.#faults.assertPowered();
    const directory = this.#directory(path, "open");
    this.#syncNames(path, directory, directory.mark());
  }

  async syncDirectory(path: string): Promise<void> {
    this.#faults.assertPowered();
    const directory = this.#directory(path, "open");
    const mark = directory.mark();
    await this.#schedule(() => this.#syncNames(path, directory, mark));
  }

  freeBytes(directory: string): Promise<number> {
    return this.#schedule(() => {
      this.#faults.assertPowered();
      this.#directory(directory, "statfs");
      return Math.max(0, Math.min(this.capacityBytes - this.#usedBytes(), 2 ** 50));
    });
  }

  async lock(path: string): Promise<DiskLock> {
    this.#faults.assertPowered();
    const directory = this.#find(path);
    if (!(directory instanceof Directory)) {
      throw new EngineError("DIRECTORY_INVALID", `${path} is not a directory`);
    }
    const holder = this.#locks.get(directory);
    if (holder !== undefined) throw lockedError(path, holder);
    const since = (this.#options.now ?? systemClock.now)();
    const mine: LockHolder = { pid: process.pid, hostname: "memory", since, isSelf: true };
    this.#locks.set(directory, mine);
    return {
      release: async () => {
        if (this.#locks.get(directory) === mine) this.#locks.delete(directory);
      },
    };
  }

  #successor(watch?: () => void): MemoryDisk {
    return new MemoryDisk({ ...this.#options, watch, capacityBytes: this.capacityBytes });
  }

  #create(path: string): Inode {
    const { directory, name } = this.#parent(path, "open");
    if (directory.get(name) !== undefined) throw systemError("EEXIST", "open", path);
    this.#admit("create", name);
    const inode = new Inode();
    directory.change([[name, inode]]);
    return inode;
  }

  #syncNames(path: string, directory: Directory, mark: number): void {
    const error = this.#faults.admit("syncDirectory", nameOf(path));
    if (error === undefined) {
      directory.sync(mark);
      return;
    }
    if (!this.#faults.hasCrashed) directory.forget(mark);
    throw error;
  }

  #admit(verb: Verb, path: string): void {
    const error = this.#faults.admit(verb, path);
    if (error !== undefined) throw error;
  }

  #usedBytes(): number {
    if (this.capacityBytes === Number.POSITIVE_INFINITY) return 0;
    const inodes = new Set<Inode>();
    const visit = (directory: Directory): void => {
      for (const [, node] of directory.entries()) {
        if (node instanceof Directory) visit(node);
        else inodes.add(node);
      }
    };
    visit(this.#root);
    let bytes = 0;
    for (const inode of inodes) bytes += inode.size;
    return bytes;
  }

  #find(path: string): Directory | Inode | undefined {
    let node: Directory | Inode | undefined = this.#root;
    for (const name of partsOf(path)) {
      if (!(node instanceof Directory)) return undefined;
      node = node.get(name);
    }
    return node;
  }

  #inode(path: string, syscall: string): Inode {
    const node = this.#find(path);
    if (node === undefined) throw systemError("ENOENT", syscall, path);
    if (node instanceof Directory) throw systemError("EISDIR", syscall, path);
    return node;
  }

  #directory(path: string, syscall: string): Directory {
    const node = this.#find(path);
    if (node === undefined) throw systemError("ENOENT", syscall, path);
    if (node instanceof Inode) throw systemError("ENOTDIR", syscall, path);
    return node;
  }

  #parent(path: string, syscall: string): { directory: Directory; name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw systemError("EISDIR", syscall, path);
    return { directory: this.#directory(parts.join("/"), syscall), name };
  }
}

/** There is no working directory, so `db`, `/db` and `./db` are one. */
function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split(/[\\/]/)) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}

function nameOf(path: string): string {
  return partsOf(path).pop() ?? "/";
}

/** The extremes take no random number, so that they are the same whatever the seed. */
function coinOf({ survival, random }: CrashOptions): Coin {
  if (survival <= 0) return () => false;
  if (survival >= 1) return () => true;
  if (random === undefined) throw new TypeError("a survival between 0 and 1 needs `random`");
  return () => random() < survival;
}

async function nextMicrotask<T>(run: () => T): Promise<T> {
  await undefined;
  return run();
}
