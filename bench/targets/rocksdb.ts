/** RocksDB by @nxtedition/rocksdb, an abstract-level of the first generation. */
import { loadPeer } from "../peers.ts";
import type { Target, TargetInfo } from "../target.ts";
import { bytesOptions, type Level, putAll, scanLevel } from "./abstract-level.ts";

interface RocksLevel extends Level {
  getProperty(name: string): string;
}

const drainPollMs = 5;
/** Each is "0" once there is nothing left to do. */
const pending = [
  "rocksdb.mem-table-flush-pending",
  "rocksdb.num-running-flushes",
  "rocksdb.compaction-pending",
  "rocksdb.num-running-compactions",
];

export const rocksdb: TargetInfo = {
  name: "rocksdb",
  package: "@nxtedition/rocksdb",
  notes: [
    "its put with sync: true flushes nothing (seen in the kernel's counters): no durable rows",
    "offers no synchronous get",
  ],
  async open({ directory }): Promise<Target> {
    const module = await loadPeer<{
      RocksLevel: new (place: string, options: object) => RocksLevel;
    }>("@nxtedition/rocksdb");
    const level = new module.RocksLevel(directory, bytesOptions);
    await level.open();
    return {
      put: (key, value) => level.put(key, value),
      delete: (key) => level.del(key),
      batch: (entries) => putAll(level, entries),
      get: async (key) => {
        try {
          return await level.get(key);
        } catch (error) {
          // This generation of abstract-level says so by an error.
          if ((error as { code?: unknown }).code === "LEVEL_NOT_FOUND") return undefined;
          throw error;
        }
      },
      getMany: (keys) => level.getMany(keys),
      scan: (request) => scanLevel(level, request),
      drain: async () => {
        while (pending.some((name) => level.getProperty(name) !== "0")) {
          await new Promise((resolve) => setTimeout(resolve, drainPollMs));
        }
      },
      close: () => level.close(),
    };
  },
};
