/** Databases in scratch directories, closed and removed after each test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { type DatabaseOptions, EverwriteLevel } from "../../native-free-engine/level.ts";

const directories: string[] = [];
const opened: EverwriteLevel<never, never>[] = [];

afterEach(async () => {
  for (const db of opened.splice(0)) await db.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "everwrite-level-"));
  directories.push(directory);
  return directory;
}

/** A database in a new directory; `location` reopens another. */
export async function openLevel<K = string, V = string>(
  options: DatabaseOptions<K, V> = {},
  location = join(freshDirectory(), "db"),
): Promise<EverwriteLevel<K, V>> {
  const db = new EverwriteLevel<K, V>(location, options);
  opened.push(db as unknown as EverwriteLevel<never, never>);
  await db.open();
  return db;
}

/** The code of a rejection, or of its cause where the database would not open. */
export async function codeOf(failing: Promise<unknown>): Promise<string> {
  try {
    await failing;
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: { code?: string } };
    return code === "LEVEL_DATABASE_NOT_OPEN" ? `${code} < ${cause?.code}` : String(code);
  }
  return "resolved";
}
