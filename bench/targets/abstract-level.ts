/** What the two peers of the Level family have in common: the part of abstract-level we call. */
import type { Entry, ScanRequest } from "../target.ts";

export interface LevelIterator {
  nextv(count: number): Promise<[Buffer, Buffer][]>;
  close(): Promise<void>;
}

export interface Level {
  open(): Promise<void>;
  close(): Promise<void>;
  put(key: Buffer, value: Buffer, options?: { sync: boolean }): Promise<void>;
  del(key: Buffer): Promise<void>;
  batch(operations: readonly object[]): Promise<void>;
  get(key: Buffer): Promise<Buffer | undefined>;
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>;
  iterator(options: object): LevelIterator;
}

export const bytesOptions = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;

export function putAll(level: Level, entries: readonly Entry[]): Promise<void> {
  return level.batch(entries.map(({ key, value }) => ({ type: "put", key, value })));
}

export async function scanLevel(level: Level, request: ScanRequest): Promise<number> {
  const { from, reverse = false, count } = request;
  const start = from === undefined ? {} : reverse ? { lte: from } : { gte: from };
  const iterator = level.iterator({ ...start, reverse, limit: count ?? -1 });
  let entries = 0;
  for (;;) {
    const pairs = await iterator.nextv(Math.min(1000, count ?? 1000));
    entries += pairs.length;
    if (pairs.length === 0 || entries === count) break;
  }
  await iterator.close();
  return entries;
}
