/**
 * An open file of a `MemoryDisk`: bytes go to the inode, each call past the fault plan first.
 * Asynchronous calls do their work when the schedule says so; what they cover is fixed when they
 * are made, so a sync promises nothing about writes that came after it was asked for.
 */
import type { DiskFile } from "./disk.ts";
import { type MemoryFaults, systemError } from "./memory-faults.ts";
import type { Inode } from "./memory-inode.ts";

/** Runs the work at some later time and passes on what came of it. */
export type Schedule = <T>(run: () => T) => Promise<T>;

/** What a file needs of its disk. */
export interface FileSurroundings {
  readonly faults: MemoryFaults;
  readonly schedule: Schedule;
  /** Bytes that files may still grow. */
  room(): number;
  /** Lets the time pass that a synchronous read takes. */
  hold(): void;
  /** Resolves when the time that an asynchronous read takes is over. */
  wait(): Promise<void> | undefined;
}

export class MemoryFile implements DiskFile {
  readonly #name: string;
  readonly #isWritable: boolean;
  readonly #inode: Inode;
  readonly #disk: FileSurroundings;
  #isClosed = false;

  constructor(name: string, isWritable: boolean, inode: Inode, disk: FileSurroundings) {
    this.#name = name;
    this.#isWritable = isWritable;
    this.#inode = inode;
    this.#disk = disk;
  }

  readSync(target: Uint8Array, at: number, length: number, position: number): number {
    this.#assertUsable("read");
    this.#disk.hold();
    return this.#read(target, at, length, position);
  }

  async read(target: Uint8Array, at: number, length: number, position: number): Promise<number> {
    this.#assertUsable("read");
    await this.#disk.wait();
    return this.#disk.schedule(() => this.#read(target, at, length, position));
  }

  writeSync(source: Uint8Array, at: number, length: number, position: number): number {
    this.#assertUsable("write");
    return this.#write(source, at, length, position);
  }

  async write(source: Uint8Array, at: number, length: number, position: number): Promise<number> {
    this.#assertUsable("write");
    return this.#disk.schedule(() => this.#write(source, at, length, position));
  }

  syncSync(): void {
    this.#assertUsable("fdatasync");
    this.#sync(this.#inode.mark());
  }

  async sync(): Promise<void> {
    this.#assertUsable("fdatasync");
    const mark = this.#inode.mark();
    await this.#disk.schedule(() => this.#sync(mark));
  }

  bytesSync(): number {
    this.#assertUsable("fstat");
    return this.#inode.size;
  }

  closeSync(): void {
    this.#isClosed = true;
  }

  #read(target: Uint8Array, at: number, length: number, position: number): number {
    this.#disk.faults.admitRead(this.#name);
    assertWithin(target, at, length);
    return this.#inode.read(target, at, length, position);
  }

  #write(source: Uint8Array, at: number, length: number, position: number): number {
    if (!this.#isWritable) throw systemError("EBADF", "write", this.#name);
    assertWithin(source, at, length);
    const room = this.#roomAt(position, length);
    const { bytes, error } = this.#disk.faults.admitWrite(this.#name, position, length, room);
    this.#inode.write(source, at, bytes, position);
    if (error !== undefined) throw error;
    return bytes;
  }

  #sync(mark: number): void {
    const { faults } = this.#disk;
    const error = faults.admit("sync", this.#name);
    if (error === undefined) {
      this.#inode.sync(mark);
      return;
    }
    if (!faults.hasCrashed) this.#inode.forget(mark);
    throw error;
  }

  /** How many of these bytes the quota has room for. */
  #roomAt(position: number, length: number): number {
    const growth = position + length - this.#inode.size;
    return growth <= 0 ? length : Math.max(0, length - Math.max(0, growth - this.#disk.room()));
  }

  #assertUsable(syscall: string): void {
    this.#disk.faults.assertPowered();
    if (this.#isClosed) throw systemError("EBADF", syscall, this.#name);
  }
}

function assertWithin(bytes: Uint8Array, at: number, length: number): void {
  if (at >= 0 && length >= 0 && at + length <= bytes.length) return;
  throw new RangeError(`bytes ${at}+${length} lie outside an array of ${bytes.length}`);
}
