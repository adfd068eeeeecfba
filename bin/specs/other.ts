/** Everything that needs neither a database nor a cluster of one's own. */
import type { CommandSpec } from "./spec.ts";

export const otherCommands: readonly CommandSpec[] = [
  {
    name: "explain",
    summary: "what an error code means, whether a write took effect, and what to do",
    arguments: [["[code]", "the code; without one all are listed"]],
    examples: ["kvctl explain QUORUM_UNAVAILABLE", "kvctl explain --json"],
    load: async () => (await import("../commands/explain.ts")).explain,
  },
  {
    name: "demo",
    summary: "a cluster of three processes loses one, goes on, and agrees again",
    options: [
      ["--nodes <n>", "how many nodes (default 3)"],
      ["--records <n>", "how many records to import (default 171,075)"],
      ["--keep", "leave the directories of the nodes where they are"],
      ["--cart", "show what siblings are for: a shopping cart on two devices"],
      ["--embedded", "show the embedded database instead: load, kill, compare"],
    ],
    examples: [
      "kvctl demo",
      "kvctl demo --nodes 5 --keep",
      "kvctl demo --cart",
      "kvctl demo --embedded",
    ],
    load: async () => (await import("../demo/demo.ts")).demo,
  },
  {
    name: "bench",
    summary: "measure the engine beside others, or a cluster (-e); kvctl bench -h lists more",
    arguments: [["[arguments...]", "which benchmark, and its options"]],
    examples: [
      "kvctl bench engine --n 100000 --rounds 3",
      "kvctl bench engine --peers none --workloads fillrandom,readrandom",
      "kvctl bench compare before.json after.json",
      "kvctl bench -e localhost:7400 a b --seconds 30",
    ],
    readsArguments: true,
    load: async () => (await import("../commands/bench.ts")).bench,
  },
];
