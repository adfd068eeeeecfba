/** classic-level: LevelDB in C++, the binding that most Node programs use today. */
import { loadPeer } from "../peers.ts";
import { untilIdle } from "../resources.ts";
import type { Target, TargetInfo } from "../target.ts";
import { bytesOptions, type Level, putAll, scanLevel } from "./abstract-level.ts";

interface ClassicLevel extends Level {
  getSync(key: Buffer): Buffer | undefined;
}

export const classicLevel: TargetInfo = {
  name: "classic-level",
  package: "classic-level",
  notes: [
    "compresses with Snappy by default; scans by nextv(1000)",
    "cannot be asked whether it compacts: drained when the process has stopped working",
  ],
  async open({ directory }): Promise<Target> {
    const module = await loadPeer<{
      ClassicLevel: new (place: string, options: object) => ClassicLevel;
    }>("classic-level");
    const level = new module.ClassicLevel(directory, bytesOptions);
    await level.open();
    return {
      put: (key, value) => level.put(key, value),
      putDurable: (key, value) => level.put(key, value, { sync: true }),
      delete: (key) => level.del(key),
      batch: (entries) => putAll(level, entries),
      get: (key) => level.get(key),
      getSync: (key) => level.getSync(key),
      getMany: (keys) => level.getMany(keys),
      scan: (request) => scanLevel(level, request),
      drain: untilIdle,
      close: () => level.close(),
    };
  },
};
