/**
 * A disk on which a failed sync of a directory is final. When one fails, nobody knows which of the
 * names made before it are durable, and a later sync that succeeds proves nothing about them; but
 * a directory is shared: the sync that a compaction asked for may be the one that would have made
 * the name of a commit log durable. So after one failure each later sync of that directory fails,
 * whoever asks, until the database is opened again.
 */
import type { Disk } from "./disk.ts";

export function withFinalSyncs(disk: Disk): Disk {
  const failures = new Map<string, unknown>();
  const check = (directory: string): void => {
    const cause = failures.get(directory);
    if (cause === undefined) return;
    const said = cause instanceof Error ? cause.message : String(cause);
    const error = new Error(`EIO: an earlier sync of ${directory} failed: ${said}`, { cause });
    throw Object.assign(error, { code: "EIO", syscall: "fsync" });
  };
  const remember = (directory: string, error: unknown): never => {
    failures.set(directory, error);
    throw error;
  };
  return {
    syncDirectorySync(directory) {
      check(directory);
      try {
        disk.syncDirectorySync(directory);
      } catch (error) {
        remember(directory, error);
      }
    },
    async syncDirectory(directory) {
      check(directory);
      await disk.syncDirectory(directory).catch((error) => remember(directory, error));
      // One that was under way when another failed has proved nothing either.
      check(directory);
    },
    openSync: (path, mode) => disk.openSync(path, mode),
    listSync: (directory) => disk.listSync(directory),
    existsSync: (path) => disk.existsSync(path),
    makeDirectorySync: (directory) => disk.makeDirectorySync(directory),
    renameSync: (from, to) => disk.renameSync(from, to),
    linkSync: (from, to) => disk.linkSync(from, to),
    removeSync: (path) => disk.removeSync(path),
    remove: (path) => disk.remove(path),
    removeDirectorySync: (directory) => disk.removeDirectorySync(directory),
    freeBytes: (directory) => disk.freeBytes(directory),
    lock: (directory) => disk.lock(directory),
  };
}
