/** What can be asked of the benchmark, and the arguments read into it. */
import { numberIn, numbersIn, parsed, UsageError } from "./arguments.ts";
import type { Shape } from "./forecast.ts";
import { keysMax } from "./keys.ts";
import { microNames } from "./micro.ts";
import { type SceneName, sceneNames } from "./stage.ts";
import { allTargets } from "./targets/all.ts";
import { workloads } from "./workloads.ts";

export interface Choices {
  readonly command: "all" | "engine" | "micro" | "compare" | "chart" | SceneName;
  readonly operands: readonly string[];
  readonly sizes: readonly Shape[];
  readonly peers: readonly string[];
  readonly rounds: number;
  readonly chosen: readonly string[];
  readonly callers: readonly number[];
  readonly secondsMax: number;
  readonly directory: string | undefined;
  readonly peersDirectory: string | undefined;
  readonly json: string | undefined;
  readonly out: string | undefined;
}

const peerNames = allTargets.flatMap(({ name, package: needs }) => (needs ? [name] : []));
const workloadNames = workloads.map(({ name }) => name);
const commands = ["all", "engine", "micro", "compare", "chart", ...sceneNames] as const;

export const usage = `\
bench [all]                  micro, engine with values of 100, 1024 and 4096 bytes and with ten
                             times the keys, and at that size every scene: hours
bench engine                 whole engines side by side
bench micro [SUITE…]         ${microNames.join(", ")}
bench growth                 reads at a tenth of the keys and at all; the last tenth of a load
bench loop                   how late timers fire while a database is filled
bench paced                  50,000 puts a second, through flushes and compactions
bench memory                 resident memory while loading and reading
bench recovery               replay of a 64 MiB log; opening a large database
bench cold                   a disk that takes 5 ms a read, under 128 readers
bench cluster [PART…]        stores of three processes side by side; -h explains its own options
bench -e HOST:PORT,…         YCSB on a cluster that runs; -h explains its own options
bench compare A.json B.json  which rows changed by more than noise; exit 1 if ours got worse
bench chart FILE.json        draw the first data set of a result as SVG, or the --workloads of it

--n 1000000            keys; several sizes by commas
--value 100            bytes of a value; several sizes by commas
--peers a,b            of ${peerNames.join(", ")}; or none
--rounds 3             rounds, engines interleaved
--workloads a,b        of ${workloadNames.slice(0, 7).join(", ")},
                       ${workloadNames.slice(7).join(", ")}
--callers 1,128        callers in flight
--seconds 30           no row begins an operation after so long
--dir D                where databases are made; the system's temporary directory
--peers-dir D          where peers are installed; below bench/ or in the user's cache directory
--json FILE            save the result, as it grows
--out FILE             where the chart goes; bench/chart.svg or ./everwrite-bench.svg`;

/** `undefined` when help was asked for. */
export function parseChoices(argv: readonly string[]): Choices | undefined {
  const { values, positionals } = parse(argv);
  if (values.help) return undefined;
  const [name = "all", ...operands] = positionals;
  const command = commands.find((candidate) => candidate === name);
  if (command === undefined) {
    throw new UsageError(`there is no benchmark ${name}; there are ${commands.join(", ")}`);
  }
  checkOperands(command, operands);
  const ns = numbersIn("n", values.n, { least: 1000, most: keysMax });
  const valueBytes = numbersIn("value", values.value, { least: 1, most: 1 << 20 });
  const peers = values.peers === "none" ? [] : names("peers", values.peers, peerNames);
  return {
    command,
    operands,
    sizes: ns.flatMap((n) => valueBytes.map((bytes) => ({ n, valueBytes: bytes }))),
    peers: values.peers === undefined ? peerNames : peers,
    rounds: numberIn("rounds", values.rounds, { least: 1, most: 100 }),
    chosen: names("workloads", values.workloads, workloadNames),
    callers: numbersIn("callers", values.callers, { least: 1, most: 10_000 }),
    secondsMax: numberIn("seconds", values.seconds, { least: 1, most: 86_400 }),
    directory: values.dir,
    peersDirectory: values["peers-dir"],
    json: values.json,
    out: values.out,
  };
}

const operandsMax: Readonly<Record<string, number>> = {
  compare: 2,
  chart: 1,
  micro: microNames.length,
};

function checkOperands(command: string, operands: readonly string[]): void {
  const extra = operands[operandsMax[command] ?? 0];
  if (extra !== undefined) throw new UsageError(`bench ${command} does not take ${extra}`);
  if (command === "micro") names("micro", operands.join(","), microNames);
  const needed = command === "compare" ? 2 : command === "chart" ? 1 : 0;
  if (operands.length >= needed) return;
  throw new UsageError(`bench ${command} needs ${needed === 2 ? "two result files" : "a result"}`);
}

function parse(argv: readonly string[]) {
  const text = { type: "string" } as const;
  return parsed(argv, {
    help: { type: "boolean", short: "h", default: false },
    n: { ...text, default: "1000000" },
    value: { ...text, default: "100" },
    rounds: { ...text, default: "3" },
    callers: { ...text, default: "1,128" },
    seconds: { ...text, default: "30" },
    ...{ peers: text, workloads: text, json: text, out: text },
    ...{ dir: text, "peers-dir": text },
  });
}

function names(name: string, given: string | undefined, known: readonly string[]): string[] {
  if (given === undefined || given === "") return [];
  const parts = given.split(",");
  const unknown = parts.find((part) => !known.includes(part));
  if (unknown === undefined) return parts;
  throw new UsageError(`${name}: there are ${known.join(", ")}, but not ${unknown}`);
}
