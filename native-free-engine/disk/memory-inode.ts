/**
 * The bytes of one file on a `MemoryDisk`, with every name and handle that leads to them.
 *
 * There are two images: what reads see, and what a power cut is certain to leave. Between them
 * stand the unsynced writes, in order. Each 512-byte sector reaches the platter on its own, at any
 * moment between two writes: so a crash may leave it as it was after any of the writes to it.
 * Images are shared by copies of a disk and copied when first changed, which makes a crash of a
 * synced file free.
 */
import { assert } from "../base/assert.ts";

export const sectorBytes = 512;

/** Decides, each time anew, whether something unsynced got through. */
export type Coin = () => boolean;

interface Write {
  readonly position: number;
  readonly bytes: Uint8Array;
}

export class Inode {
  #live: Image;
  #durable: Image;
  #unsynced: Write[] = [];
  /** Writes ever made. `mark` hands this out, and `sync` covers no write that came later. */
  #written = 0;

  constructor(durable = new Image()) {
    this.#durable = durable;
    this.#live = durable.share();
  }

  get size(): number {
    return this.#live.size;
  }

  read(target: Uint8Array, at: number, length: number, position: number): number {
    return this.#live.read(target, at, length, position);
  }

  write(source: Uint8Array, at: number, length: number, position: number): void {
    if (length === 0) return;
    const bytes = new Uint8Array(length);
    bytes.set(source.subarray(at, at + length));
    this.#live.write(bytes, 0, length, position);
    this.#unsynced.push({ position, bytes });
    this.#written += 1;
  }

  /** Stands for the writes made until now. */
  mark(): number {
    return this.#written;
  }

  /** Makes durable what was written before the mark was taken. */
  sync(mark: number): void {
    for (const { position, bytes } of this.#take(mark)) {
      this.#durable.write(bytes, 0, bytes.length, position);
    }
  }

  /**
   * What a failed fsync does on Linux: the pages count as clean, so the bytes can still be read,
   * no later sync writes them, and a crash loses them.
   */
  forget(mark: number): void {
    this.#take(mark);
  }

  /** The file as a power cut leaves it. Closing or naming it differently changes nothing here. */
  afterCrash(coin: Coin): Inode {
    const image = this.#durable.share();
    if (this.#unsynced.length === 0) return new Inode(image);
    let end = 0;
    for (const write of this.#unsynced) end = Math.max(end, write.position + write.bytes.length);
    // Per sector, the last write that it carried when it went to the platter.
    const reached = new Int32Array(Math.ceil(end / sectorBytes)).fill(-1);
    this.#unsynced.forEach((write, index) => {
      const last = Math.floor((write.position + write.bytes.length - 1) / sectorBytes);
      for (let sector = Math.floor(write.position / sectorBytes); sector <= last; sector++) {
        if (coin()) reached[sector] = index;
      }
    });
    this.#unsynced.forEach((write, index) => {
      applySectors(image, write, (sector) => (reached[sector] ?? -1) >= index);
    });
    // The size is metadata, which some file systems write before the data: then zeros are read.
    if (coin()) image.grow(end);
    return new Inode(image);
  }

  /** These bytes and no others, durable: what rot or a hand made of the file. */
  replace(bytes: Uint8Array): void {
    const image = new Image();
    image.write(bytes, 0, bytes.length, 0);
    this.#durable = image;
    this.#live = image.share();
    this.#take(this.#written);
  }

  /** The same file in the same state, on a copy of the disk. */
  clone(): Inode {
    const twin = new Inode(this.#durable.share());
    twin.#live = this.#live.share();
    twin.#unsynced = this.#unsynced.slice();
    twin.#written = this.#written;
    return twin;
  }

  #take(mark: number): Write[] {
    const count = mark - (this.#written - this.#unsynced.length);
    if (count <= 0) return [];
    assert(count <= this.#unsynced.length, "a mark stands for writes that were made");
    const taken = this.#unsynced;
    this.#unsynced = taken.slice(count);
    taken.length = count;
    return taken;
  }
}

/** Bytes that grow, zeros where nothing was written, shared until somebody changes them. */
class Image {
  size = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #isShared = false;

  share(): Image {
    const twin = new Image();
    twin.size = this.size;
    twin.#bytes = this.#bytes;
    twin.#isShared = true;
    this.#isShared = true;
    return twin;
  }

  read(target: Uint8Array, at: number, length: number, position: number): number {
    const end = Math.min(position + length, this.size);
    if (position >= end) return 0;
    target.set(this.#bytes.subarray(position, end), at);
    return end - position;
  }

  write(source: Uint8Array, at: number, length: number, position: number): void {
    this.#reserve(position + length);
    this.#bytes.set(source.subarray(at, at + length), position);
    this.size = Math.max(this.size, position + length);
  }

  grow(size: number): void {
    if (size <= this.size) return;
    this.#reserve(size);
    this.size = size;
  }

  #reserve(size: number): void {
    const enough = size <= this.#bytes.length;
    if (enough && !this.#isShared) return;
    const next = new Uint8Array(enough ? this.#bytes.length : Math.max(64, size, this.size * 2));
    next.set(this.#bytes.subarray(0, this.size));
    this.#bytes = next;
    this.#isShared = false;
  }
}

/** Writes those sectors of one write that pass, neighbours together. */
function applySectors(image: Image, write: Write, passes: (sector: number) => boolean): void {
  const { position, bytes } = write;
  const end = position + bytes.length;
  for (let from = position; from < end; ) {
    const passed = passes(Math.floor(from / sectorBytes));
    let to = from;
    do to = (Math.floor(to / sectorBytes) + 1) * sectorBytes;
    while (to < end && passes(Math.floor(to / sectorBytes)) === passed);
    to = Math.min(to, end);
    if (passed) image.write(bytes, from - position, to - from, from);
    from = to;
  }
}
