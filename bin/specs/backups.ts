/** Bringing nodes back from checkpoints. */
import type { CommandSpec } from "./spec.ts";

export const backupCommands: readonly CommandSpec[] = [
  {
    name: "restore",
    summary: "make a node's directory of a checkpoint, to be served again",
    arguments: [["<checkpoint>", "the directory node-ID that checkpoint made"]],
    options: [
      ["--data <dir>", "the directory to be made; absent or empty"],
      ["--whole <label>", "the whole cluster is restored: the same new label at every node"],
      ["--addresses <list>", "with --whole: where nodes are now, as 1=HOST:PORT,2=HOST:PORT"],
    ],
    examples: [
      "kvctl restore n2-checkpoints/monday/node-2 --data n2",
      "kvctl restore n2-checkpoints/monday/node-2 --data n2 --whole after-the-fire",
      "kvctl restore node-1 --data n1 --whole test --addresses 1=127.0.0.1:7500",
    ],
    load: async () => (await import("../commands/restore.ts")).restore,
  },
];
