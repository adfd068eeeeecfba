/**
 * The settings of a node: from a file, the environment and flags (later ones win), checked as a
 * whole, so that everything that is wrong is said at once. zod is loaded only here, and only when a
 * node starts.
 */
import { deadlineMsMax, nDefault, nMax } from "../core/limits.ts";
import { ClusterError } from "../errors.ts";
import { isWildcard, parseAddress } from "./address.ts";
import type { LogLevel } from "./log.ts";
import { refuseOpenAddress } from "./open-address.ts";

export interface NodeConfig {
  /** The node's own directory; made if it does not exist. */
  readonly data: string;
  /** HOST:PORT to listen on; port 0 takes a free one. Default 127.0.0.1:7400. */
  readonly listen?: string | undefined;
  /** HOST:PORT under which others reach it. Default: what it listens on. */
  readonly advertise?: string | undefined;
  /** Nodes of the cluster to join. Without any, an empty directory founds a new cluster. */
  readonly join?: readonly string[] | undefined;
  /** With `join`: only proposes to join, and waits until an operator commits the plan. */
  readonly stage?: boolean | undefined;
  /** Where the node stands: copies are spread over racks, and kept in every data centre. */
  readonly dc?: string | undefined;
  readonly rack?: string | undefined;
  /** Its share of the data relative to others, above 0 and at most 100. Default 1. */
  readonly weight?: number | undefined;
  /** Copies of everything, fixed when the cluster is founded. Default 3. */
  readonly n?: number | undefined;
  /** Replicas that must answer a read or write that does not say. Default: a majority of n. */
  readonly r?: number | undefined;
  readonly w?: number | undefined;
  /** Equal parts of the ring, a power of two, fixed when the cluster is founded. Default 256. */
  readonly partitions?: number | undefined;
  /**
   * When this node acknowledges. `sync` (default): once it is on the disk; a power cut loses
   * nothing. `interval`: once the system has it, with a sync each 100 ms; a power cut loses up to
   * that of what only such nodes acknowledged. `os`: the system decides when it syncs, usually
   * within 30 s; a killed process loses nothing, a power cut may lose all of that.
   */
  readonly durability?: "sync" | "interval" | "os" | undefined;
  /**
   * Files in PEM: the node's certificate and its key, and the authority whose certificates are
   * believed. With the first two the port speaks TLS only. With the authority, nodes prove
   * themselves by certificates (unless there is a secret), and clients may.
   */
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsCa?: string | undefined;
  /** A file with the secret that all nodes of the cluster hold, one a line, the newest first. */
  readonly peerSecretFile?: string | undefined;
  /** A file with the hashes of clients' tokens; see `kvctl token`. */
  readonly tokenFile?: string | undefined;
  /** Allows an address that others can reach although nobody has to prove anything. */
  readonly insecure?: boolean | undefined;
  /** As in EngineOptions. */
  readonly memtableBytes?: number | undefined;
  readonly cacheBytes?: number | undefined;
  /**
   * Truncates version vectors: beyond so many entries the oldest are dropped at each write (the
   * paper's section 4.4). Off unless given. A dropped entry may make an ancestor look like a
   * stranger, so values that were superseded can come back as siblings; none is lost.
   */
  readonly vectorEntriesMax?: number | undefined;
  /** How long starting may take until a node to join has answered. Default 60,000. */
  readonly joinMsMax?: number | undefined;
  /** Where it makes its checkpoints, on the file system of `data`. Default: DATA-checkpoints. */
  readonly backups?: string | undefined;
  readonly logLevel?: LogLevel | undefined;
  /** For tests and experiments: intervals as src/core names them, `cleanup.intervalMs`. */
  readonly tuning?: Readonly<Record<string, number>> | undefined;
}

/** Checked, with defaults; what a directory or its ring may know better stays open until then. */
export interface Settings extends NodeConfig {
  readonly join: readonly string[];
  readonly dc: string;
  readonly rack: string;
  readonly weight: number;
  readonly durability: "sync" | "interval" | "os";
  readonly insecure: boolean;
  readonly stage: boolean;
  readonly joinMsMax: number;
  readonly logLevel: LogLevel;
  readonly tuning: Readonly<Record<string, number>>;
}

export const listenDefault = "127.0.0.1:7400";

type Field = keyof NodeConfig;
type Given = Partial<Record<Field, unknown>>;

/** Fields that are not text, and so are read from text where they come from outside. */
const readers: Partial<Record<Field, (text: string) => unknown>> = {
  join: (text) => text.split(",").map((seed) => seed.trim()),
  insecure: switchIn,
  stage: switchIn,
  ...Object.fromEntries(
    [
      "weight",
      "n",
      "r",
      "w",
      "partitions",
      "memtableBytes",
      "cacheBytes",
      "vectorEntriesMax",
      "joinMsMax",
    ].map((field) => [field, (text: string) => (/^[\d.eE+-]+$/.test(text) ? Number(text) : text)]),
  ),
};

/** What each field may be, in the words of an error. */
const rules: Readonly<Record<Field, string>> = {
  data: "the path of a directory",
  listen: "HOST:PORT with a port from 0 to 65535",
  advertise: "HOST:PORT that others can dial, with a port from 1 to 65535",
  join: "a list of HOST:PORT",
  dc: "a name of 1 to 64 letters, digits, '-', '_' or '.'",
  rack: "a name of 1 to 64 letters, digits, '-', '_' or '.'",
  weight: "a number above 0, at most 100",
  n: `a whole number from 1 to ${nMax}`,
  r: "a whole number from 1 to n",
  w: "a whole number from 1 to n",
  partitions: "a power of two from 2 to 4096",
  durability: "sync, interval or os",
  tlsCert: "the path of a certificate in PEM",
  tlsKey: "the path of a private key in PEM",
  tlsCa: "the path of an authority's certificate in PEM",
  peerSecretFile: "the path of a file",
  tokenFile: "the path of a file",
  insecure: "true or false",
  stage: "true or false",
  memtableBytes: "a whole number of bytes from 65536",
  cacheBytes: "a whole number of bytes from 0",
  vectorEntriesMax: "a whole number from 1 to 1000",
  joinMsMax: "a whole number of milliseconds from 0 to 3600000",
  backups: "the path of a directory",
  logLevel: "silent, error, warn, info or debug",
  tuning: "an object of numbers",
};

function switchIn(text: string): unknown {
  return { true: true, "1": true, false: false, "0": false }[text] ?? text;
}

/** What the sources say, before anything is checked. Text is read as the field's type. */
export function gatherConfig(sources: {
  readonly file?: Readonly<Record<string, unknown>> | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
}): Readonly<Record<string, unknown>> {
  const gathered: Record<string, unknown> = { ...sources.file };
  for (const field of Object.keys(rules) as Field[]) {
    const name = `EVERWRITE_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
    const text = sources.environment?.[name];
    if (text !== undefined && text !== "") gathered[field] = readers[field]?.(text) ?? text;
  }
  for (const [flag, value] of Object.entries(sources.flags ?? {})) {
    if (value === undefined) continue;
    const read = readers[flag as Field];
    gathered[flag] = typeof value === "string" && read !== undefined ? read(value) : value;
  }
  return gathered;
}

/** Throws CONFIG_INVALID with every problem, or INSECURE_BIND. */
export async function checkConfig(given: unknown): Promise<Settings> {
  const { z } = await import("zod");
  const address = (portMin: number) =>
    z.string().refine((text) => (parseAddress(text)?.port ?? -1) >= portMin);
  const name = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);
  const whole = (min: number, max: number) => z.int().min(min).max(max);
  const schema = z.strictObject({
    data: z.string().min(1),
    listen: address(0).optional(),
    advertise: address(1).optional(),
    join: z.array(address(1)).default([]),
    dc: name.default("dc1"),
    rack: name.default("rack1"),
    weight: z.number().gt(0).max(100).default(1),
    n: whole(1, nMax).optional(),
    r: whole(1, nMax).optional(),
    w: whole(1, nMax).optional(),
    partitions: whole(2, 4096)
      .refine((count) => (count & (count - 1)) === 0)
      .optional(),
    durability: z.enum(["sync", "interval", "os"]).default("sync"),
    tlsCert: z.string().min(1).optional(),
    tlsKey: z.string().min(1).optional(),
    tlsCa: z.string().min(1).optional(),
    peerSecretFile: z.string().min(1).optional(),
    tokenFile: z.string().min(1).optional(),
    insecure: z.boolean().default(false),
    stage: z.boolean().default(false),
    memtableBytes: whole(65_536, 2 ** 30).optional(),
    cacheBytes: whole(0, 2 ** 40).optional(),
    vectorEntriesMax: whole(1, 1000).optional(),
    joinMsMax: whole(0, 3_600_000).default(deadlineMsMax),
    backups: z.string().min(1).optional(),
    logLevel: z.enum(["silent", "error", "warn", "info", "debug"]).default("silent"),
    tuning: z.record(z.string(), z.number()).default({}),
  });
  const parsed = schema.safeParse(given);
  const problems = parsed.success
    ? contradictions(parsed.data as Settings)
    : problemsOf(parsed.error.issues, given);
  if (!parsed.success || problems.length > 0) throw invalidConfig(problems);
  const settings = parsed.data as Settings;
  refuseOpenAddress(settings.listen ?? listenDefault, settings);
  return settings;
}

export function invalidConfig(problems: readonly string[]): ClusterError {
  const [only] = problems;
  const message =
    problems.length === 1 && only !== undefined
      ? only
      : `${problems.length} settings are wrong:\n${problems.map((line) => `  ${line}`).join("\n")}`;
  return new ClusterError("CONFIG_INVALID", message);
}

interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly keys?: readonly string[];
}

function problemsOf(issues: readonly Issue[], given: unknown): readonly string[] {
  if (typeof given !== "object" || given === null) return ["the settings must be an object"];
  const problems = issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      const known = Object.keys(rules).join(", ");
      return (issue.keys ?? []).map((key) => `${key} is unknown; there are ${known}`);
    }
    const [field] = issue.path as [Field];
    const value = (given as Given)[field];
    if (value === undefined) return [`${field} is missing: it must be ${rules[field]}`];
    return [`${field} must be ${rules[field]}, got ${shown(value)}`];
  });
  return [...new Set(problems)];
}

function contradictions(settings: Settings): readonly string[] {
  const { n = nDefault, r = 1, w = 1, listen = listenDefault, advertise, join } = settings;
  const { tlsCert, tlsKey, tlsCa } = settings;
  const problems: string[] = [];
  if (settings.stage && join.length === 0) {
    problems.push("join is missing: stage proposes to join a cluster, and founds none");
  }
  if (join.length === 0 && r > n) problems.push(`r must be from 1 to n, got ${r} with n ${n}`);
  if (join.length === 0 && w > n) problems.push(`w must be from 1 to n, got ${w} with n ${n}`);
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const missing = tlsCert === undefined ? "tlsCert" : "tlsKey";
    problems.push(`${missing} is missing: a certificate and its key belong together`);
  } else if (tlsCa !== undefined && tlsCert === undefined) {
    problems.push(
      "tlsCert and tlsKey are missing: without TLS nobody shows a certificate to judge",
    );
  }
  const host = parseAddress(listen)?.host ?? "";
  if (isWildcard(host) && advertise === undefined) {
    problems.push(`advertise is missing: others cannot dial ${listen}`);
  }
  if (isWildcard(parseAddress(advertise ?? "")?.host ?? "")) {
    problems.push(`advertise must be ${rules.advertise}, got ${advertise}`);
  }
  return problems;
}

function shown(value: unknown): string {
  const text = textOf(value);
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A program may hand over what no file could hold: a cycle, a BigInt, a list a mile deep.
    return `a value of type ${typeof value}`;
  }
}
