/** Named key spaces of a cluster (-e). */
import { type CommandSpec, timeout } from "./spec.ts";

export const bucketCommands: readonly CommandSpec[] = [
  {
    name: "bucket",
    summary: "named key spaces: bucket create NAME, bucket set NAME, bucket list",
    arguments: [
      ["<verb>", "create, set or list"],
      ["[name]", "the bucket"],
    ],
    options: [
      ["--r <n>", "replicas that must answer a read (0: the cluster's)"],
      ["--w <n>", "replicas that must have a write (0: the cluster's)"],
      ["--resolver <name>", "makes one value of siblings: siblings (none), lww, union, counter"],
      ["--ttl <time>", "how long values live that say nothing else: 30s, 7d …, never"],
      timeout,
    ],
    examples: [
      "kvctl -e localhost:7400 bucket create sessions --ttl 7d --resolver lww",
      "kvctl -e localhost:7400 bucket set sessions --w 1",
      "kvctl -e localhost:7400 bucket list",
      "kvctl -e localhost:7400 put user:42 open --bucket sessions",
    ],
    load: async () => (await import("../cluster/buckets.ts")).bucket,
  },
];
