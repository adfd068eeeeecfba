/**
 * The single-writer lock of a database directory, so far only among the engines of one process.
 */
import fs from "node:fs";
import os from "node:os";
import { systemClock } from "../system-clock.ts";
import type { DiskLock } from "./disk.ts";
import { type LockHolder, lockedError } from "./locked.ts";

const held = new Map<string, LockHolder>();

export async function lockDirectory(directory: string): Promise<DiskLock> {
  const { dev, ino } = fs.statSync(directory, { bigint: true });
  const key = `${dev}:${ino}`;
  const holder = held.get(key);
  if (holder !== undefined) throw lockedError(directory, holder);
  const since = systemClock.now();
  const mine: LockHolder = { pid: process.pid, hostname: os.hostname(), since, isSelf: true };
  held.set(key, mine);
  return {
    release: async () => {
      if (held.get(key) === mine) held.delete(key);
    },
  };
}
