/**
 * LMDB by lmdb-js. Its puts resolve after the commit, so unsynced rows open it with `noSync`,
 * which is what the others do there; in durable rows each put also awaits `flushed`.
 */
import { loadPeer } from "../peers.ts";
import type { ScanRequest, Target, TargetInfo } from "../target.ts";

interface LmdbEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

interface Lmdb {
  readonly flushed: Promise<unknown>;
  put(key: Buffer, value: Buffer): Promise<boolean>;
  remove(key: Buffer): Promise<boolean>;
  transaction<T>(work: () => T): Promise<T>;
  get(key: Buffer): Buffer | undefined;
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>;
  getRange(options: object): Iterable<LmdbEntry>;
  close(): Promise<void>;
}

export const lmdb: TargetInfo = {
  name: "lmdb",
  package: "lmdb",
  notes: [
    "noSync in unsynced rows, because its puts resolve after the commit; put and flushed else",
    "reads are synchronous by nature; its map counts as resident memory",
  ],
  async open({ directory, durable }): Promise<Target> {
    const module = await loadPeer<{ open: (options: object) => Lmdb }>("lmdb");
    const database = module.open({
      path: directory,
      keyEncoding: "binary",
      encoding: "binary",
      ...(durable ? {} : { noSync: true }),
    });
    return {
      put: (key, value) => database.put(key, value),
      putDurable: async (key, value) => {
        await database.put(key, value);
        await database.flushed;
      },
      delete: (key) => database.remove(key),
      batch: (entries) =>
        database.transaction(() => {
          // Owned by the transaction, which the caller awaits.
          for (const { key, value } of entries) void database.put(key, value);
        }),
      get: (key) => database.get(key),
      getSync: (key) => database.get(key),
      getMany: (keys) => database.getMany(keys),
      scan: async ({ from, reverse = false, count }: ScanRequest) => {
        const start = from === undefined ? {} : { start: from };
        const limit = count === undefined ? {} : { limit: count };
        let entries = 0;
        let bytes = 0;
        for (const { key, value } of database.getRange({ ...start, ...limit, reverse })) {
          bytes += key.length + value.length;
          entries += 1;
        }
        return bytes > 0 ? entries : 0;
      },
      close: () => database.close(),
    };
  },
};
