/**
 * The commands of kvctl as data: names, arguments, options, examples, and where the work is done.
 * Nothing is loaded until a command runs, so that help and errors come at once.
 */
import type { Run } from "./invocation.ts";

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** As commander writes them: `<required>`, `[optional]`. */
  readonly arguments?: readonly (readonly [form: string, meaning: string])[];
  readonly options?: readonly (readonly [flags: string, meaning: string])[];
  readonly examples: readonly string[];
  /** Where it is the first word, all that follows is its own to read, `-h` and `--json` too. */
  readonly readsArguments?: true;
  readonly load: () => Promise<Run>;
}

type Option = readonly [flags: string, meaning: string];

const encodings: readonly Option[] = [
  ["--hex", "keys and values in arguments and lines are hex"],
  ["--base64", "keys and values in arguments and lines are base64"],
];
const sync: Option = ["--sync", "return only when it survives a power cut"];
/** Of verbs on a cluster; an embedded database has no use for them. */
const onCluster: readonly Option[] = [
  ["--bucket <name>", "cluster: in this key space"],
  ["--r <n>", "cluster: how many replicas must answer a read"],
  ["--w <n>", "cluster: how many replicas must have a write"],
  ["--strict", "cluster: only owners count, no stand-ins"],
  ["--timeout <time>", "cluster: give up after 500ms, 5s …"],
];
const [bucket] = onCluster as readonly [Option];
const timeout: Option = ["--timeout <time>", "give up after 500ms, 5s …"];
const context: Option = ["--context <token>", "cluster: the context of the read it is based on"];
const blind: Option = ["--blind", "cluster: do not read first; may make a sibling"];
const range: readonly Option[] = [
  ["--prefix <p>", "only keys that begin so"],
  ["--gte <a>", "from this key on"],
  ["--lt <b>", "up to this key, without it"],
];
const order: readonly Option[] = [
  ["--limit <n>", "at most so many entries"],
  ["--reverse", "largest key first"],
];
const format: Option = ["--format <form>", "ndjson (default) or tsv: key TAB value"];

export const commands: readonly CommandSpec[] = [
  {
    name: "get",
    summary: "print the value of a key, raw; exit 3 when there is none",
    arguments: [["<key>", "the key"]],
    options: [
      ["--siblings", "cluster: print every value, where several were written"],
      ["--resolve <how>", "cluster: make one of several: lww, union or counter"],
      ...onCluster,
      ...encodings,
    ],
    examples: [
      "kvctl --db data get user:42",
      "kvctl --db data get photo > photo.jpg",
      "kvctl -e localhost:7400 get user:42",
    ],
    load: async () => (await import("./commands/entries.ts")).get,
  },
  {
    name: "put",
    summary: "store a value under a key",
    arguments: [
      ["<key>", "the key"],
      ["[value]", "the value; - or nothing reads standard input"],
    ],
    options: [
      ["--file <f>", "take the value from this file"],
      ["--ttl <time>", "let it disappear after 500ms, 30s, 5m, 1h, 7d …"],
      sync,
      context,
      blind,
      ...onCluster,
      ...encodings,
    ],
    examples: [
      "kvctl --db data put user:42 Ada",
      "kvctl -e localhost:7400 put user:42 Ada",
      "kvctl --db data put photo --file photo.jpg",
      "kvctl --db data put session:9 open --ttl 1h",
      "kvctl --db data put --hex 00ff c0ffee",
    ],
    load: async () => (await import("./commands/entries.ts")).put,
  },
  {
    name: "del",
    summary: "delete a key; an absent one is fine",
    arguments: [["<key>", "the key"]],
    options: [sync, context, ...onCluster, ...encodings],
    examples: ["kvctl --db data del user:42"],
    load: async () => (await import("./commands/entries.ts")).del,
  },
  {
    name: "scan",
    summary: "list entries in key order, for people; with --json one object a line",
    options: [
      ...range,
      ...order,
      ["--keys-only", "leave the values out"],
      ["--count", "print only how many there are"],
      ...onCluster,
      ...encodings,
    ],
    examples: [
      "kvctl --db data scan --prefix user: --limit 10",
      "kvctl --db data scan --gte 2024-01 --lt 2024-02 --keys-only",
      "kvctl --db data scan --count",
    ],
    load: async () => (await import("./commands/scan.ts")).scan,
  },
  {
    name: "import",
    summary: "read entries from a file or standard input, one a line",
    arguments: [["<file>", "the file; - reads standard input"]],
    options: [
      format,
      ["--on-error <what>", "at a bad line: stop (default), or skip it and exit 9"],
      blind,
      ...onCluster,
      ...encodings,
    ],
    examples: [
      "kvctl --db data import cities.ndjson",
      "cut -f1,2 people.tsv | kvctl --db data import - --format tsv",
      'echo \'{"key":"a","value":{"any":"JSON"}}\' | kvctl --db data import -',
    ],
    load: async () => (await import("./commands/import.ts")).importEntries,
  },
  {
    name: "export",
    summary: "write entries in key order, so that import reads them back",
    options: [format, ...range, ...order, ...onCluster, ...encodings],
    examples: [
      "kvctl --db data export > backup.ndjson",
      "kvctl --db data export --format tsv --prefix user:",
    ],
    load: async () => (await import("./commands/scan.ts")).exportEntries,
  },
  {
    name: "stats",
    summary: "levels, tables, bytes, memtable, write amplification, cache",
    examples: ["kvctl --db data stats", "kvctl --db data stats --json"],
    load: async () => (await import("./commands/care.ts")).stats,
  },
  {
    name: "verify",
    summary: "read and check every byte; exit 1 and the place of any damage",
    examples: ["kvctl --db data verify"],
    load: async () => (await import("./commands/care.ts")).verify,
  },
  {
    name: "salvage",
    summary: "make a damaged database openable again with all that can be read",
    examples: ["cp -r data data.bak && kvctl --db data salvage"],
    load: async () => (await import("./commands/care.ts")).salvage,
  },
  {
    name: "compact",
    summary: "merge tables down, which frees what deleted entries held",
    options: [...range, ...encodings],
    examples: ["kvctl --db data compact", "kvctl --db data compact --prefix log:"],
    load: async () => (await import("./commands/care.ts")).compact,
  },
  {
    name: "checkpoint",
    summary: "make a consistent copy in a new directory, with tables linked",
    arguments: [["<directory>", "the new directory, on the same file system"]],
    examples: ["kvctl --db data checkpoint backup"],
    load: async () => (await import("./commands/care.ts")).checkpoint,
  },
  {
    name: "dump",
    summary: "describe one log, table or manifest file",
    arguments: [["<file>", "its path, or its name in --db"]],
    options: [["--limit <n>", "list at most so many entries, blocks or records (default 1000)"]],
    examples: ["kvctl dump data/000012.log", "kvctl --db data dump MANIFEST-000001 --json"],
    load: async () => (await import("./commands/dump.ts")).dump,
  },
  {
    name: "serve",
    summary: "run one node of a cluster until it is told to stop",
    options: [
      ["--data <dir>", "the node's own directory; made if it is not there"],
      ["--listen <address>", "HOST:PORT to listen on (default 127.0.0.1:7400)"],
      ["--advertise <address>", "HOST:PORT under which others reach it"],
      ["--join <addresses>", "nodes of the cluster to join; without, a new one is founded"],
      ["--dc <name>", "the data centre it stands in"],
      ["--rack <name>", "the rack it stands in"],
      ["--weight <w>", "its share of the data relative to others (default 1)"],
      ["--n <n>", "copies of everything, fixed at founding (default 3)"],
      ["--r <n>", "replicas that must answer a read (default: a majority)"],
      ["--w <n>", "replicas that must have a write (default: a majority)"],
      ["--durability <when>", "acknowledge after: sync (default), interval, os"],
      ["--insecure", "allow an address that others can reach, unprotected"],
      ["--config <file>", "take settings from a JSON file; flags win"],
      ["--log-level <level>", "silent, error, warn, info or debug"],
    ],
    examples: [
      "kvctl serve --data n1 --listen 127.0.0.1:7400",
      "kvctl serve --data n2 --listen 127.0.0.1:7401 --join 127.0.0.1:7400",
    ],
    load: async () => (await import("./commands/serve.ts")).serve,
  },
  {
    name: "status",
    summary: "nodes, who is live, hints, whether replicas agree; exit 9 when degraded",
    options: [timeout],
    examples: ["kvctl -e localhost:7400 status", "kvctl -e localhost:7400 status --json"],
    load: async () => (await import("./cluster/operators.ts")).status,
  },
  {
    name: "ring",
    summary: "which node owns how much of the ring, with a picture",
    options: [timeout],
    examples: ["kvctl -e localhost:7400 ring"],
    load: async () => (await import("./cluster/operators.ts")).ring,
  },
  {
    name: "locate",
    summary: "the owners of a key, and who would stand in for them",
    arguments: [["<key>", "the key"]],
    options: [bucket, timeout, ...encodings],
    examples: ["kvctl -e localhost:7400 locate user:42"],
    load: async () => (await import("./cluster/operators.ts")).locate,
  },
  {
    name: "versions",
    summary: "what each replica holds of a key: vectors, dots, siblings",
    arguments: [["<key>", "the key"]],
    options: [bucket, timeout, ...encodings],
    examples: ["kvctl -e localhost:7400 versions cart:7"],
    load: async () => (await import("./cluster/operators.ts")).versions,
  },
  {
    name: "hints",
    summary: "writes that wait for an owner which is away",
    options: [timeout],
    examples: ["kvctl -e localhost:7400 hints"],
    load: async () => (await import("./cluster/operators.ts")).hints,
  },
  {
    name: "repair",
    summary: "compare all replicas now, and bring each up to date",
    options: [timeout],
    examples: ["kvctl -e localhost:7400 repair"],
    load: async () => (await import("./cluster/operators.ts")).repair,
  },
  {
    name: "trace",
    summary: "the time line of one request: trace get KEY, trace put KEY VALUE",
    arguments: [
      ["<verb>", "get or put"],
      ["<key>", "the key"],
      ["[value]", "the value, for put"],
    ],
    options: [...onCluster, ...encodings],
    examples: ["kvctl -e localhost:7400 trace get user:42"],
    load: async () => (await import("./cluster/trace.ts")).trace,
  },
  {
    name: "demo",
    summary: "load 171,075 cities, kill the writer, and check that nothing is lost",
    examples: ["kvctl demo"],
    load: async () => (await import("./demo/demo.ts")).demo,
  },
  {
    name: "bench",
    summary: "measure the engine beside others; kvctl bench -h lists what it takes",
    arguments: [["[arguments...]", "which benchmark, and its options"]],
    examples: [
      "kvctl bench engine --n 100000 --rounds 3",
      "kvctl bench engine --peers none --workloads fillrandom,readrandom",
      "kvctl bench compare before.json after.json",
    ],
    readsArguments: true,
    load: async () => (await import("./commands/bench.ts")).bench,
  },
];
