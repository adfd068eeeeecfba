/** What checkpoints ask of the file system: directories that are there whole, or not at all. */
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** What is at a path. A link is what it is itself. */
export type Found = "nothing" | "empty directory" | "directory" | "other";

export function lookAt(path: string): Found {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return "nothing";
  if (!found.isDirectory()) return "other";
  return readdirSync(path).length === 0 ? "empty directory" : "directory";
}

/** For its owner alone, as are those above it that are missing. */
export function makeClosedDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  syncPath(dirname(path));
}

/** Gives a whole directory its own name, durably; an empty one that has it gives way. */
export function moveInPlace(from: string, to: string): void {
  if (lookAt(to) === "empty directory") rmdirSync(to);
  renameSync(from, to);
  syncPath(dirname(to));
}

/** Best effort: what cannot be removed is in nobody's way. */
export function removeDirectory(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Where its parent is no directory there is nothing to remove.
  }
}

/** The name of an entry that is no plain file; undefined when all of them are. */
export function oddEntryIn(directory: string): string | undefined {
  return readdirSync(directory, { withFileTypes: true }).find((entry) => !entry.isFile())?.name;
}

/** Copied, and not linked: what is copied stays what it is, whatever becomes of the copy. */
export function copyFiles(from: string, to: string): void {
  makeClosedDirectory(to);
  for (const name of readdirSync(from)) {
    copyFileSync(join(from, name), join(to, name), constants.COPYFILE_FICLONE);
    syncPath(join(to, name));
  }
  syncPath(to);
}

export function bytesIn(directory: string): number {
  const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
  return sizes.reduce((sum, size) => sum + size, 0);
}

function syncPath(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
