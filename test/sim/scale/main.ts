/** `npm run scale`: clusters of several sizes from the command line. See measure.ts for what. */
import { writeFileSync } from "node:fs";
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
    json: { type: "boolean", default: false },
    /** A file for the charts. */
    svg: { type: "string" },
  },
});

const { partitions } = values;
const measured: ScaleFigures[] = [];
for (const nodes of values.nodes.split(",").map(Number)) {
  const began = performance.now();
  const options = { nodes, seed: Number(values.seed), requests: Number(values.requests) };
  const scale = new Scale({
    ...options,
    ...(partitions === undefined ? {} : { partitions: Number(partitions) }),
  });
  measured.push(await scale.measure());
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  process.stderr.write(`${nodes} nodes: simulated in ${seconds} s\n`);
}
if (values.svg !== undefined) writeFileSync(values.svg, chartOf(measured));
const shown = values.json ? JSON.stringify(measured, undefined, 2) : tableOf(measured);
process.stdout.write(`${shown}\n`);
