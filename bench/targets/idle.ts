/**
 * An engine that does nothing: what it reaches is the harness's own cost (making keys and values,
 * awaiting, sampling), and so the most that any engine could show.
 */
import type { Target, TargetInfo } from "../target.ts";

const value = Buffer.alloc(0);

export const idle: TargetInfo = {
  name: "(driver)",
  notes: ["does nothing: the harness's own cost, the ceiling of every row"],
  speed: 20,
  open: async (): Promise<Target> => ({
    put: () => Promise.resolve(),
    putDurable: () => Promise.resolve(),
    delete: () => Promise.resolve(),
    batch: () => Promise.resolve(),
    get: () => Promise.resolve(value),
    getSync: () => value,
    getMany: (keys) => Promise.resolve(keys.map(() => value)),
    scan: async ({ count }) => count ?? 0,
    close: async () => {},
  }),
};
