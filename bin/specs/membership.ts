/** Who belongs to the cluster, and what moves because of it (-e). */
import { type CommandSpec, type OptionSpec, timeout } from "./spec.ts";

const stage: OptionSpec = ["--stage", "only propose it: kvctl plan shows it, commit does it"];
const yes: OptionSpec = ["--yes", "do not ask"];
const load = async () => import("../cluster/membership.ts");

export const membershipCommands: readonly CommandSpec[] = [
  {
    name: "plan",
    summary: "what all that is staged would move, and how the cluster would look after",
    options: [timeout],
    examples: ["kvctl -e localhost:7400 plan", "kvctl -e localhost:7400 plan --json"],
    load: async () => (await load()).plan,
  },
  {
    name: "commit",
    summary: "do what is staged, all of it in one epoch",
    options: [["--plan <id>", "only if the plan is still this one"], yes, timeout],
    examples: ["kvctl -e localhost:7400 commit --plan 3f2a9c1b"],
    load: async () => (await load()).commit,
  },
  {
    name: "abort",
    summary: "take back what is staged, and all that has not moved yet",
    options: [yes, timeout],
    examples: ["kvctl -e localhost:7400 abort"],
    load: async () => (await load()).abort,
  },
  {
    name: "leave",
    summary: "let a node go, once others hold what it has",
    arguments: [["<node>", "its number or its address"]],
    options: [stage, yes, timeout],
    examples: ["kvctl -e localhost:7400 leave 3"],
    load: async () => (await load()).leave,
  },
  {
    name: "remove",
    summary: "strike out a node that will not come back",
    arguments: [["<node>", "its number or its address"]],
    options: [stage, yes, timeout],
    examples: ["kvctl -e localhost:7400 remove 3"],
    load: async () => (await load()).remove,
  },
  {
    name: "weight",
    summary: "give a node more or less of the data than others",
    arguments: [
      ["<node>", "its number or its address"],
      ["<weight>", "above 0, at most 100; 1 is usual"],
    ],
    options: [stage, yes, timeout],
    examples: ["kvctl -e localhost:7400 weight 3 2"],
    load: async () => (await load()).weight,
  },
  {
    name: "transfers",
    summary: "partitions on the way to their owners: how far, and how long yet",
    options: [timeout],
    examples: ["kvctl -e localhost:7400 transfers"],
    load: async () => (await import("../cluster/transfers.ts")).transfers,
  },
  {
    name: "ring",
    summary: "which node owns how much, with a picture; ring force: without a majority",
    arguments: [["[verb]", "force: go on without nodes that are lost for good"]],
    options: [["--lost <nodes>", "force: numbers of the nodes that never come back"], yes, timeout],
    examples: [
      "kvctl -e localhost:7400 ring",
      "kvctl -e localhost:7400 ring force --lost 2,3 --yes",
    ],
    load: async () => (await import("../cluster/ring.ts")).ring,
  },
];
