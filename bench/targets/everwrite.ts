/** Everwrite as a program gets it: the built package, all options at their defaults. */
import { openEngine } from "../../native-free-engine/index.ts";
import type { ScanRequest, Target, TargetInfo } from "../target.ts";

const drainPollMs = 2;

export const everwrite: TargetInfo = {
  name: "everwrite",
  notes: ["all options at their defaults; scans by nextMany(1000)"],
  speed: 3,
  async open({ directory }): Promise<Target> {
    const engine = await openEngine(directory);
    return {
      put: (key, value) => engine.put(key, value),
      putDurable: (key, value) => engine.put(key, value, { sync: true }),
      delete: (key) => engine.delete(key),
      batch: (entries) =>
        engine.batch(entries.map(({ key, value }) => ({ type: "put" as const, key, value }))),
      get: (key) => engine.get(key),
      getSync: (key) => engine.getSync(key),
      getMany: (keys) => engine.getMany(keys),
      scan: async ({ from, reverse = false, count }: ScanRequest) => {
        const start = from === undefined ? {} : reverse ? { lte: from } : { gte: from };
        const limit = count === undefined ? {} : { limit: count };
        const scan = engine.scan({ ...start, ...limit, reverse });
        let entries = 0;
        for (;;) {
          const pairs = await scan.nextMany(Math.min(1000, count ?? 1000));
          entries += pairs.length;
          if (pairs.length === 0 || entries === count) break;
        }
        await scan.close();
        return entries;
      },
      drain: async () => {
        while (engine.stats().backgroundJobs > 0) {
          await new Promise((resolve) => setTimeout(resolve, drainPollMs));
        }
      },
      describe: () => {
        const stats = engine.stats();
        const levels = stats.levels.filter(({ tables }) => tables > 0);
        return {
          levels: levels.map(({ level, bytes }) => `L${level} ${bytes >> 20} MiB`).join(", "),
          writeAmplification: stats.writeAmplification,
          flushes: stats.flushes,
          compactions: stats.compactions,
          trivialMoves: stats.trivialMoves,
          stallMs: stats.stallMs,
          cacheHits: stats.cacheHits,
          cacheMisses: stats.cacheMisses,
        };
      },
      close: () => engine.close(),
    };
  },
};
