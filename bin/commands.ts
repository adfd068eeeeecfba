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
    options: encodings,
    examples: ["kvctl --db data get user:42", "kvctl --db data get photo > photo.jpg"],
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
      ...encodings,
    ],
    examples: [
      "kvctl --db data put user:42 Ada",
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
    options: [sync, ...encodings],
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
    options: [format, ...range, ...order, ...encodings],
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
