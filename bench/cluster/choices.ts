/** What can be asked of the cluster benchmark, and its arguments. */
import { numberIn, numbersIn, parsed, UsageError } from "../arguments.ts";
import { allStores } from "./stores/all.ts";

export const partNames = ["speed", "paced", "costs", "profile", "faults"] as const;
export type Part = (typeof partNames)[number];

export interface ClusterChoices {
  readonly parts: readonly Part[];
  /** Names of stores. */
  readonly stores: readonly string[];
  readonly n: number;
  readonly valueBytes: number;
  readonly rounds: number;
  readonly callers: readonly number[];
  readonly seconds: number;
  readonly rate: number;
  /** Keys in the cluster while something happens to it. */
  readonly records: number;
  /** Parts of names of faults; none means all. */
  readonly faults: readonly string[];
  readonly directory: string | undefined;
  readonly peersDirectory: string | undefined;
  readonly json: string | undefined;
}

const storeNames = allStores.map(({ name }) => bare(name));
const usualParts: readonly Part[] = ["speed", "paced", "costs", "faults"];

export const clusterUsage = `\
bench cluster [PART…]  stores of three local processes side by side, and what Everwrite's cluster
                       costs and stands; all parts but profile unless some are named
  speed                writes and reads, as many as there can be, for each number of callers
  paced                reads and writes at --rate, latency since each was due (open loop)
  costs                an operation in microseconds of each role, messages, hedges, bytes; versions
  profile              costs, with the parts of the code that take the time
  faults               routing, a frozen node, a killed one, a join, an exchange, compaction

--stores a,b           of ${storeNames.slice(0, 5).join(", ")},
                       ${storeNames.slice(5).join(", ")}; those that are installed otherwise
--n 20000              keys that are written and read
--value 100            bytes of a value
--rounds 3             rounds, stores interleaved
--callers 1,64         callers in flight
--seconds 5            of each row, and of each stretch of a fault
--rate 1000            requests a second of paced rows and during faults
--records 50000        keys in the cluster during faults
--faults a,b           only those whose names begin so
--dir D                where servers keep their data; the system's temporary directory
--peers-dir D          where clients of peers are installed
--json FILE            save the result`;

/** `undefined` when help was asked for. */
export function parseClusterChoices(argv: readonly string[]): ClusterChoices | undefined {
  const { values, positionals } = parse(argv);
  if (values.help) return undefined;
  const parts = positionals.map((name) => {
    const part = partNames.find((candidate) => candidate === name);
    if (part !== undefined) return part;
    throw new UsageError(`bench cluster has no part ${name}; there are ${partNames.join(", ")}`);
  });
  const stores = values.stores?.split(",") ?? storeNames;
  const unknown = stores.find((name) => !storeNames.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--stores: there are ${storeNames.join(", ")}, but not ${unknown}`);
  }
  return {
    parts: parts.length === 0 ? usualParts : parts,
    stores: allStores.filter(({ name }) => stores.includes(bare(name))).map(({ name }) => name),
    n: numberIn("n", values.n, { least: 1000, most: 10_000_000 }),
    valueBytes: numberIn("value", values.value, { least: 1, most: 1 << 20 }),
    rounds: numberIn("rounds", values.rounds, { least: 1, most: 100 }),
    callers: numbersIn("callers", values.callers, { least: 1, most: 1000 }),
    seconds: numberIn("seconds", values.seconds, { least: 1, most: 3600 }),
    rate: numberIn("rate", values.rate, { least: 1, most: 1_000_000 }),
    records: numberIn("records", values.records, { least: 1000, most: 10_000_000 }),
    faults: values.faults?.split(",") ?? [],
    directory: values.dir,
    peersDirectory: values["peers-dir"],
    json: values.json,
  };
}

/** Names in brackets are of no stores; on a command line brackets would be the shell's. */
function bare(name: string): string {
  return name.replace(/[()]/g, "");
}

function parse(argv: readonly string[]) {
  const text = { type: "string" } as const;
  return parsed(argv, {
    help: { type: "boolean", short: "h", default: false },
    n: { ...text, default: "20000" },
    value: { ...text, default: "100" },
    rounds: { ...text, default: "3" },
    callers: { ...text, default: "1,64" },
    seconds: { ...text, default: "5" },
    rate: { ...text, default: "1000" },
    records: { ...text, default: "50000" },
    ...{ stores: text, faults: text, json: text, dir: text, "peers-dir": text },
  });
}
