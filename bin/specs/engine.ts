/** Looking after a database directory (--db). */
import { type CommandSpec, encodings, range, timeout } from "./spec.ts";

export const engineCommands: readonly CommandSpec[] = [
  {
    name: "stats",
    summary: "levels, tables, bytes, memtable, write amplification, cache",
    examples: ["kvctl --db data stats", "kvctl --db data stats --json"],
    load: async () => (await import("../commands/care.ts")).stats,
  },
  {
    name: "verify",
    summary: "read and check every byte; exit 1 and the place of any damage",
    examples: ["kvctl --db data verify"],
    load: async () => (await import("../commands/care.ts")).verify,
  },
  {
    name: "salvage",
    summary: "make a damaged database openable again with all that can be read",
    examples: ["cp -r data data.bak && kvctl --db data salvage"],
    load: async () => (await import("../commands/care.ts")).salvage,
  },
  {
    name: "compact",
    summary: "merge tables down, which frees what deleted entries held",
    options: [...range, ...encodings],
    examples: ["kvctl --db data compact", "kvctl --db data compact --prefix log:"],
    load: async () => (await import("../commands/care.ts")).compact,
  },
  {
    name: "checkpoint",
    summary: "make a consistent copy, with tables linked; of a cluster: one of each node",
    arguments: [["<directory>", "the new directory, on the same file system; -e: a name"]],
    options: [["--node <id>", "-e: of this node alone"], timeout],
    examples: [
      "kvctl --db data checkpoint backup",
      "kvctl -e localhost:7400 checkpoint monday",
      "kvctl -e localhost:7400 checkpoint monday --node 2",
    ],
    load: async () => (await import("../commands/care.ts")).checkpoint,
  },
  {
    name: "dump",
    summary: "describe one log, table or manifest file",
    arguments: [["<file>", "its path, or its name in --db"]],
    options: [["--limit <n>", "list at most so many entries, blocks or records (default 1000)"]],
    examples: ["kvctl dump data/000012.log", "kvctl --db data dump MANIFEST-000001 --json"],
    load: async () => (await import("../commands/dump.ts")).dump,
  },
];
