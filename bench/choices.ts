/** What can be asked of the benchmark, and the arguments read into it. */
import { parseArgs } from "node:util";
import { keysMax } from "./keys.ts";
import { type SceneName, sceneNames } from "./stage.ts";
import { allTargets } from "./targets/all.ts";
import { workloads } from "./workloads.ts";

export interface Choices {
  readonly command: "all" | "engine" | "micro" | "compare" | "chart" | SceneName;
  readonly operands: readonly string[];
  readonly n: number;
  readonly sizes: readonly { readonly n: number; readonly valueBytes: number }[];
  readonly peers: readonly string[];
  readonly rounds: number;
  readonly chosen: readonly string[];
  readonly callers: readonly number[];
  readonly secondsMax: number;
  readonly directory: string | undefined;
  readonly json: string | undefined;
  readonly out: string | undefined;
}

export class UsageError extends Error {
  override readonly name = "UsageError";
}

const peerNames = allTargets.flatMap(({ name, package: needs }) => (needs ? [name] : []));
const workloadNames = workloads.map(({ name }) => name);
const commands = ["all", "engine", "micro", "compare", "chart", ...sceneNames] as const;

export const usage = `\
bench [all]                  everything below: hours
bench engine                 whole engines side by side
bench micro [SUITE…]         block-search, filter, memtable, record, checksum
bench growth                 reads at a tenth of the keys and at all; the last tenth of a load
bench loop                   how late timers fire while a database is filled
bench paced                  50,000 puts a second, through flushes and compactions
bench memory                 resident memory while loading and reading
bench recovery               replay of a 64 MiB log; opening a large database
bench cold                   a disk that takes 5 ms a read, under 128 readers
bench compare A.json B.json  which rows changed by more than noise; exit 1 if ours got worse
bench chart FILE.json        draw the first data set of a result as SVG

--n 1000000            keys; several sizes by commas
--value 100            bytes of a value; several sizes by commas
--peers a,b            of ${peerNames.join(", ")}; or none
--rounds 3             rounds, engines interleaved
--workloads a,b        of ${workloadNames.slice(0, 7).join(", ")},
                       ${workloadNames.slice(7).join(", ")}
--callers 1,128        callers in flight
--seconds 30           no row begins an operation after so long
--dir D                where databases are made; the system's temporary directory
--json FILE            save the result
--out FILE             where the chart goes; bench/chart.svg`;

/** `undefined` when help was asked for. */
export function parseChoices(argv: readonly string[]): Choices | undefined {
  const { values, positionals } = parse(argv);
  if (values.help) return undefined;
  const [name = "all", ...operands] = positionals;
  const command = commands.find((candidate) => candidate === name);
  if (command === undefined) {
    throw new UsageError(`there is no benchmark ${name}; there are ${commands.join(", ")}`);
  }
  const ns = numbers("n", values.n, 1000, keysMax);
  const valueBytes = numbers("value", values.value, 1, 1 << 20);
  const peers = values.peers === "none" ? [] : names("peers", values.peers, peerNames);
  return {
    command,
    operands,
    n: ns[0] ?? 0,
    sizes: ns.flatMap((n) => valueBytes.map((bytes) => ({ n, valueBytes: bytes }))),
    peers: values.peers === undefined ? peerNames : peers,
    rounds: numbers("rounds", values.rounds, 1, 100)[0] ?? 1,
    chosen: names("workloads", values.workloads, workloadNames),
    callers: numbers("callers", values.callers, 1, 10_000),
    secondsMax: numbers("seconds", values.seconds, 1, 86_400)[0] ?? 1,
    directory: values.dir,
    json: values.json,
    out: values.out,
  };
}

function parse(argv: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h", default: false },
        n: { ...text, default: "1000000" },
        value: { ...text, default: "100" },
        rounds: { ...text, default: "3" },
        callers: { ...text, default: "1,128" },
        seconds: { ...text, default: "30" },
        ...{ peers: text, workloads: text, dir: text, json: text, out: text },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Whole numbers by commas; 1e6 and 10_000 are numbers too. */
function numbers(name: string, given: string, least: number, most: number): number[] {
  return given.split(",").map((part) => {
    const number = Number(part.replaceAll("_", "") || Number.NaN);
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    throw new UsageError(`--${name} takes whole numbers from ${least} to ${most}, got ${part}`);
  });
}

function names(name: string, given: string | undefined, known: readonly string[]): string[] {
  if (given === undefined || given === "") return [];
  const parts = given.split(",");
  const unknown = parts.find((part) => !known.includes(part));
  if (unknown === undefined) return parts;
  throw new UsageError(`--${name} knows ${known.join(", ")}, not ${unknown}`);
}
