/** What a command is, as data, and the options that several commands share. */
import type { Run } from "../invocation.ts";

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** As commander writes them: `<required>`, `[optional]`. */
  readonly arguments?: readonly (readonly [form: string, meaning: string])[];
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly string[];
  /** Where it is the first word, all that follows is its own to read, `-h` and `--json` too. */
  readonly readsArguments?: true;
  readonly load: () => Promise<Run>;
}

export type OptionSpec = readonly [flags: string, meaning: string];

export const encodings: readonly OptionSpec[] = [
  ["--hex", "keys and values in arguments and lines are hex"],
  ["--base64", "keys and values in arguments and lines are base64"],
];

export const sync: OptionSpec = ["--sync", "--db: return only when it survives a power cut"];

/** Of verbs on a cluster; an embedded database has no use for them. */
export const bucket: OptionSpec = ["--bucket <name>", "-e: in this key space"];
export const timeout: OptionSpec = ["--timeout <time>", "-e: give up after 500ms, 5s …"];
export const strict: OptionSpec = ["--strict", "-e: only owners count, no stand-ins"];
export const readQuorum: OptionSpec = ["--r <n>", "-e: how many replicas must answer a read"];
export const writeQuorum: OptionSpec = ["--w <n>", "-e: how many replicas must have a write"];
export const context: OptionSpec = [
  "--context <token>",
  "-e: the context of the read that the write is based on",
];
export const blind: OptionSpec = ["--blind", "-e: do not read first; may make a sibling"];

export const range: readonly OptionSpec[] = [
  ["--prefix <p>", "only keys that begin so"],
  ["--gte <a>", "--db: from this key on"],
  ["--lt <b>", "--db: up to this key, without it"],
];
export const order: readonly OptionSpec[] = [
  ["--limit <n>", "at most so many entries"],
  ["--reverse", "--db: largest key first"],
];
export const format: OptionSpec = ["--format <form>", "ndjson (default) or tsv: key TAB value"];
