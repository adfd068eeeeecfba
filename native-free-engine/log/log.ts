/**
 * One commit log being written: the arena's image on disk, appended to in order. The file is made
 * by the first write. A failed write or sync poisons the log for good: after it nobody knows what
 * is on the disk, and a sync that succeeds later would prove nothing (the kernel may have dropped
 * the dirty pages it could not write).
 */
import { assert } from "../base/assert.ts";
import { type Disk, type DiskFile, writeFullySync } from "../disk/disk.ts";
import { EngineError } from "../errors.ts";

/**
 * Space is written with zeros ahead of the records once writes are synced, so that most
 * fdatasyncs change no metadata. Zeros read as the log's end.
 */
const prewriteBytes = 256 << 10;
const zeros = new Uint8Array(64 << 10);

export interface LogOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly name: string;
}

export class Log {
  readonly name: string;
  readonly #disk: Disk;
  readonly #directory: string;
  #file: DiskFile | undefined;
  #written = 0;
  #synced = 0;
  #allocated = 0;
  #named = false;
  #failure: EngineError | undefined;
  #running = 0;
  #closed = false;

  constructor(options: LogOptions) {
    this.#disk = options.disk;
    this.#directory = options.directory;
    this.name = options.name;
  }

  /** Bytes that the operating system has. */
  get written(): number {
    return this.#written;
  }

  /** Bytes that survive a power cut. */
  get synced(): number {
    return this.#synced;
  }

  get exists(): boolean {
    return this.#file !== undefined;
  }

  get failure(): EngineError | undefined {
    return this.#failure;
  }

  /** Hands the arena's bytes up to `end` to the operating system. */
  writeSync(arena: Uint8Array, end: number, prewrite: boolean): void {
    this.#guard("write", () => {
      const file = this.#open();
      writeFullySync(file, arena, this.#written, end - this.#written, this.#written);
      this.#written = end;
      if (prewrite && end > this.#allocated) this.#prewrite(file, end);
    });
  }

  /** The same without blocking the loop, for groups of megabytes. */
  async write(arena: Uint8Array, end: number): Promise<void> {
    await this.#guardAsync("write", async () => {
      const file = this.#open();
      let at = this.#written;
      while (at < end) at += await file.write(arena, at, Math.min(end - at, 1 << 20), at);
      this.#written = end;
    });
  }

  /** Makes everything written durable, and the file's name with its first bytes. */
  syncSync(): void {
    this.#guard("sync", () => {
      const upTo = this.#written;
      this.#open().syncSync();
      if (!this.#named) this.#disk.syncDirectorySync(this.#directory);
      this.#named = true;
      this.#synced = upTo;
    });
  }

  async sync(): Promise<void> {
    await this.#guardAsync("sync", async () => {
      const upTo = this.#written;
      await this.#open().sync();
      if (!this.#named) await this.#disk.syncDirectory(this.#directory);
      this.#named = true;
      this.#synced = Math.max(this.#synced, upTo);
    });
  }

  /** Takes effect once what runs has ended: a reused descriptor must not be synced by mistake. */
  close(): void {
    this.#closed = true;
    if (this.#running > 0) return;
    this.#file?.closeSync();
    this.#file = undefined;
  }

  #open(): DiskFile {
    assert(!this.#closed, "a closed log is not written");
    this.#file ??= this.#disk.openSync(`${this.#directory}/${this.name}`, "create");
    return this.#file;
  }

  #prewrite(file: DiskFile, from: number): void {
    for (let done = 0; done < prewriteBytes; done += zeros.length) {
      writeFullySync(file, zeros, 0, zeros.length, from + done);
    }
    this.#allocated = from + prewriteBytes;
  }

  #guard(what: string, action: () => void): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      action();
    } catch (cause) {
      throw this.#poison(what, cause);
    }
  }

  async #guardAsync(what: string, action: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#running += 1;
    try {
      await action();
    } catch (cause) {
      throw this.#poison(what, cause);
    } finally {
      this.#running -= 1;
      if (this.#closed) this.close();
    }
  }

  #poison(what: string, cause: unknown): EngineError {
    const said = cause instanceof Error ? cause.message : String(cause);
    this.#failure ??= new EngineError(
      "LOG_FAILED",
      `${what} of commit log ${this.name} failed: ${said}; ` +
        "no further write is accepted until the database is opened again",
      { cause, place: { file: this.name, offset: this.#written } },
    );
    return this.#failure;
  }
}
