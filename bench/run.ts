/**
 * The benchmark suite's door: `npm run bench -- …` in a checkout, `kvctl bench …` from an installed
 * package. What can be asked is in choices.ts.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type ConnectOptions, clusterCodes, isClusterError } from "../src/index.ts";
import { UsageError } from "./arguments.ts";
import { chartOf } from "./chart.ts";
import { type Choices, parseChoices, usage } from "./choices.ts";
import { cleanUpAtExit } from "./cleanup.ts";
import { runOnEndpoints } from "./cluster/on-endpoints.ts";
import { runCluster } from "./cluster/suite.ts";
import { compareReports } from "./compare.ts";
import { type BenchOutput, measure } from "./measure.ts";
import { readReport } from "./report.ts";

/**
 * Runs what the arguments ask for; resolves to the exit code. The credentials are for a cluster
 * that is named with -e.
 */
export async function runBench(
  argv: readonly string[],
  output: BenchOutput,
  credentials: ConnectOptions = {},
): Promise<number> {
  const cleanUpNoMore = cleanUpAtExit();
  try {
    if (argv.some((word) => /^(-e|--endpoints($|=))/.test(word))) {
      return await runOnEndpoints(argv, output, credentials);
    }
    if (argv[0] === "cluster") return await runCluster(argv.slice(1), output);
    const choices = parseChoices(argv);
    if (choices === undefined) {
      output.print(usage);
      return 0;
    }
    const [first = "", second = ""] = choices.operands;
    switch (choices.command) {
      case "compare":
        return compareReports(readReport(first), readReport(second), output.print);
      case "chart":
        output.note(`drew ${drawChart(first, choices)}`);
        return 0;
      default:
        return await measure(choices, argv, output);
    }
  } catch (error) {
    output.note(error instanceof Error ? error.message : String(error));
    if (isClusterError(error)) return clusterCodes[error.code].exit;
    return error instanceof UsageError ? 2 : 1;
  } finally {
    cleanUpNoMore();
  }
}

/** In a checkout the README shows the chart; beside an installed package nothing is written. */
function drawChart(path: string, { out, chosen }: Choices): string {
  const sources = new URL("../../bench/", import.meta.url);
  const isCheckout = existsSync(new URL("chart.ts", sources));
  const usual = isCheckout ? fileURLToPath(new URL("chart.svg", sources)) : "everwrite-bench.svg";
  const target = out ?? usual;
  const drawn = chartOf(readReport(path), chosen);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, drawn);
  return target;
}
