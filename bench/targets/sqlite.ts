/** SQLite by better-sqlite3: one table without row ids, WAL, everything synchronous. */
import { join } from "node:path";
import { loadPeer } from "../peers.ts";
import type { ScanRequest, Target, TargetInfo } from "../target.ts";

interface Statement {
  run(...values: readonly unknown[]): unknown;
  get(...values: readonly unknown[]): { value: Buffer } | undefined;
  iterate(...values: readonly unknown[]): Iterable<{ key: Buffer; value: Buffer }>;
}

interface Sqlite {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): Statement;
  close(): unknown;
}

export const sqlite: TargetInfo = {
  name: "sqlite",
  package: "better-sqlite3",
  notes: [
    "WAL; synchronous=NORMAL in unsynced rows (syncs only at checkpoints), FULL in durable ones",
    "getMany is a loop of gets",
  ],
  async open({ directory, durable }): Promise<Target> {
    const module = await loadPeer<{ default: new (path: string) => Sqlite }>("better-sqlite3");
    const database = new module.default(join(directory, "bench.sqlite"));
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${durable ? "FULL" : "NORMAL"}`);
    database.exec(
      "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID",
    );
    return targetOf(database);
  },
};

function targetOf(database: Sqlite): Target {
  const put = database.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?)");
  const remove = database.prepare("DELETE FROM entries WHERE key = ?");
  const get = database.prepare("SELECT value FROM entries WHERE key = ?");
  const begin = database.prepare("BEGIN");
  const commit = database.prepare("COMMIT");
  const columns = "SELECT key, value FROM entries";
  const up = database.prepare(`${columns} WHERE key >= ? ORDER BY key LIMIT ?`);
  const down = database.prepare(`${columns} WHERE key <= ? ORDER BY key DESC LIMIT ?`);
  const lowest = Buffer.alloc(0);
  const highest = Buffer.alloc(32, 0xff);
  const find = (key: Buffer): Buffer | undefined => get.get(key)?.value;
  return {
    put: (key, value) => put.run(key, value),
    putDurable: (key, value) => put.run(key, value),
    delete: (key) => remove.run(key),
    batch: (entries) => {
      begin.run();
      for (const { key, value } of entries) put.run(key, value);
      commit.run();
    },
    get: find,
    getSync: find,
    getMany: (keys) => keys.map(find),
    scan: async ({ from, reverse = false, count = -1 }: ScanRequest) => {
      const statement = reverse ? down : up;
      let entries = 0;
      let bytes = 0;
      for (const { key, value } of statement.iterate(from ?? (reverse ? highest : lowest), count)) {
        bytes += key.length + value.length;
        entries += 1;
      }
      return bytes > 0 ? entries : 0;
    },
    close: async () => {
      database.close();
    },
  };
}
