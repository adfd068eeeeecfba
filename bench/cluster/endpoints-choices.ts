/** The arguments of `bench -e`. */
import { numberIn, parsed, UsageError } from "../arguments.ts";

export const letters = ["a", "b", "c", "f", "d", "e"] as const;
export type Letter = (typeof letters)[number];

export interface EndpointsChoices {
  readonly endpoints: string;
  readonly letters: readonly Letter[];
  readonly n: number;
  readonly valueBytes: number;
  readonly callers: number;
  readonly seconds: number;
  /** Requests a second, whatever the cluster does; undefined: each caller waits for its answer. */
  readonly rate: number | undefined;
  readonly r: number | undefined;
  readonly w: number | undefined;
  readonly routing: "aware" | "any";
  readonly bucket: string;
  readonly prefix: string;
  readonly loads: boolean;
  readonly keeps: boolean;
  readonly json: string | undefined;
}

export const endpointsUsage = `\
bench -e HOST:PORT,… [a b c f d e]   YCSB on a cluster that runs: loads records, runs the mixes that
                                     are named (all of them by default), and removes the records
a  50 % reads, 50 % updates          d  95 % reads of the latest, 5 % inserts
b  95 % reads, 5 % updates           e  95 % scans of 1 to 100 entries, 5 % inserts
c  reads only                        f  50 % reads, 50 % read-modify-writes

--n 10000            records
--value 100          bytes of a value
--callers 64         callers in flight
--seconds 10         of each mix
--rate R             so many requests a second instead, latency since each was due
--r N, --w N         replicas that must answer; the bucket's or the cluster's by default
--routing aware      straight to the owners of a key; any: to the nodes named, in turn
--bucket NAME        the key space; the one without a name by default
--prefix bench/      keys begin so
--no-load            the records are there, from an earlier run with --keep
--keep               leave the records
--json FILE          save the result, which bench compare takes
and kvctl's: --token-file, --tls, --tls-ca, --tls-cert, --tls-key`;

/** `undefined` when help was asked for. */
export function parseEndpointsChoices(argv: readonly string[]): EndpointsChoices | undefined {
  const { values, positionals } = parse(argv);
  if (values.help) return undefined;
  const chosen = positionals.map((name) => {
    const letter = letters.find((candidate) => candidate === name.toLowerCase());
    if (letter !== undefined) return letter;
    throw new UsageError(`there is no mix ${name}; there are ${[...letters].sort().join(", ")}`);
  });
  const { routing, endpoints = "" } = values;
  if (routing !== "aware" && routing !== "any") {
    throw new UsageError(`--routing is aware or any, got ${routing}`);
  }
  const optional = (name: string, given: string | undefined, most: number) =>
    given === undefined ? undefined : numberIn(name, given, { least: 1, most });
  return {
    endpoints,
    letters: chosen.length === 0 ? letters : chosen,
    n: numberIn("n", values.n, { least: 100, most: 100_000_000 }),
    valueBytes: numberIn("value", values.value, { least: 1, most: 1 << 20 }),
    callers: numberIn("callers", values.callers, { least: 1, most: 4_000 }),
    seconds: numberIn("seconds", values.seconds, { least: 1, most: 86_400 }),
    rate: optional("rate", values.rate, 1_000_000),
    r: optional("r", values.r, 7),
    w: optional("w", values.w, 7),
    routing,
    bucket: values.bucket ?? "",
    prefix: values.prefix,
    loads: !values["no-load"],
    keeps: values.keep,
    json: values.json,
  };
}

function parse(argv: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  return parsed(argv, {
    help: { type: "boolean", short: "h", default: false },
    endpoints: { type: "string", short: "e" },
    n: { ...text, default: "10000" },
    value: { ...text, default: "100" },
    callers: { ...text, default: "64" },
    seconds: { ...text, default: "10" },
    routing: { ...text, default: "aware" },
    prefix: { ...text, default: "bench/" },
    ...{ rate: text, r: text, w: text, bucket: text, json: text },
    ...{ keep: flag, "no-load": flag },
  });
}
