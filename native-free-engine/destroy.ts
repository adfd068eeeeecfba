/** Removing a database: files that are ours, then the directory if nothing else is left in it. */
import type { Disk } from "./disk/disk.ts";
import { currentName, parseName } from "./files.ts";

/** Takes the lock first, so a database in use is refused. An absent one is fine. */
export async function destroyOn(disk: Disk, directory: string): Promise<void> {
  if (!disk.existsSync(directory)) return;
  const lock = await disk.lock(directory);
  try {
    const names = disk.listSync(directory);
    // Without CURRENT what is left after a crash is no database, so it goes first.
    if (names.includes(currentName)) {
      disk.removeSync(`${directory}/${currentName}`);
      disk.syncDirectorySync(directory);
    }
    for (const name of names) {
      const { kind } = parseName(name);
      if (kind === "other" || kind === "current" || kind === "lock") continue;
      disk.removeSync(`${directory}/${name}`);
    }
  } finally {
    await lock.release();
  }
  for (const name of disk.listSync(directory)) {
    if (parseName(name).kind === "lock") disk.removeSync(`${directory}/${name}`);
  }
  try {
    disk.removeDirectorySync(directory);
  } catch (error) {
    // Somebody else's files are in it: those stay.
    if (!["ENOTEMPTY", "EEXIST"].includes(String((error as { code?: unknown }).code))) throw error;
  }
}
