/**
 * `npm run scale`: clusters of several sizes from the command line. See measure.ts for what. Large
 * ones take long: what earlier runs printed with --json can be put together with --from, and with
 * --tick nodes look at the time less often.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { chartOf } from "./chart.ts";
import { Scale, type ScaleFigures } from "./measure.ts";
import { tableOf } from "./report.ts";

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "10,50,100,500" },
    seed: { type: "string", default: "1" },
    requests: { type: "string", default: "200" },
    partitions: { type: "string" },
    /** Milliseconds. */
    tick: { type: "string" },
    json: { type: "boolean", default: false },
    /** Figures of earlier runs: files, with commas. Nothing is measured then. */
    from: { type: "string" },
    /** A file for the charts. */
    svg: { type: "string" },
  },
});

const measured = values.from === undefined ? await measureAll() : readAll(values.from);
if (values.svg !== undefined) writeFileSync(values.svg, chartOf(measured));
const shown = values.json ? JSON.stringify(measured, undefined, 2) : tableOf(measured);
process.stdout.write(`${shown}\n`);

async function measureAll(): Promise<readonly ScaleFigures[]> {
  const { partitions, tick, seed, requests } = values;
  const figures: ScaleFigures[] = [];
  for (const nodes of values.nodes.split(",").map(Number)) {
    const began = performance.now();
    const scale = new Scale({
      ...{ nodes, seed: Number(seed), requests: Number(requests) },
      ...(partitions === undefined ? {} : { partitions: Number(partitions) }),
      ...(tick === undefined ? {} : { tickMs: Number(tick) }),
    });
    figures.push(await scale.measure());
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    process.stderr.write(`${nodes} nodes: simulated in ${seconds} s\n`);
  }
  return figures;
}

function readAll(files: string): readonly ScaleFigures[] {
  return files.split(",").flatMap((file) => {
    const read: unknown = JSON.parse(readFileSync(file, "utf8"));
    return read as readonly ScaleFigures[];
  });
}
