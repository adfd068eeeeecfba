/**
 * Texts in files, for the tests of disks: what was written is readable in a failed expectation.
 */
import { expect } from "vitest";
import type { DiskFile } from "../../native-free-engine/disk/disk.ts";
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

export function text(content: Uint8Array): string {
  return new TextDecoder().decode(content);
}

export function textAt(disk: MemoryDisk, path: string): string {
  return text(disk.bytesOf(path));
}

export function append(file: DiskFile, content: string): void {
  file.writeSync(bytes(content), 0, content.length, file.bytesSync());
}

/** An empty file whose name survives a crash. */
export function durableFile(disk: MemoryDisk, path: string): DiskFile {
  const file = disk.openSync(path, "create");
  disk.syncDirectorySync(path.slice(0, path.lastIndexOf("/")));
  return file;
}

/** Matches an error by its code. */
export function coded(code: string): unknown {
  return expect.objectContaining({ code });
}

/** mulberry32: the same numbers for the same seed, from 0 up to 1. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
