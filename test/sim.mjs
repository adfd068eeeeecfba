/**
 * `npm run sim -- --seed S [--seeds 10] [--nodes 5] [--seconds 60] [--until-event N]`: a whole
 * cluster in virtual time, under faults, from a seed. It is compiled first, and so runs in plain
 * Node, with the options of V8 that `--v8=--no-opt` and the like name. With `--same` one seed runs
 * in several processes, with and without optimisation and on all lines of Node that can be had, and
 * the traces are printed side by side: they must be the same.
 */
import { execFile } from "node:child_process";
import { linesOfNode, Nodes } from "./support/nodes.mjs";
import { compile, programOf, runCompiled } from "./support/run-compiled.mjs";

const given = process.argv.slice(2);
const isOurs = (word) => word === "--same" || word.startsWith("--v8=");
const flags = given.filter((word) => word.startsWith("--v8=")).map((word) => word.slice(5));
const words = given.filter((word) => !isOurs(word));
const main = programOf("sim");

if (given.includes("--same")) await compare();
else runCompiled("sim", { flags, words });

async function compare() {
  compile("sim");
  const here = process.version;
  const ways = [
    { name: here, node: process.execPath, flags: [] },
    { name: `${here} once more`, node: process.execPath, flags: [] },
    { name: `${here} --no-opt`, node: process.execPath, flags: ["--no-opt"] },
    { name: `${here} --always-sparkplug`, node: process.execPath, flags: ["--always-sparkplug"] },
  ];
  const nodes = new Nodes();
  for (const line of linesOfNode) {
    if (here.startsWith(`v${line}.`)) continue;
    const { node, why } = await nodes.fetch(line);
    ways.push({ name: `Node ${line}`, node, why, flags: [] });
  }
  const traces = new Set();
  for (const { name, node, why, flags: options } of ways) {
    if (node === undefined) {
      console.log(`${name.padEnd(28)} SKIPPED: ${why}`);
      continue;
    }
    const { trace, seconds } = await traceOf(node, options);
    traces.add(trace);
    console.log(`${name.padEnd(28)} ${trace} in ${seconds} s`);
  }
  console.log(traces.size === 1 ? "the same everywhere" : "DIFFERENT");
  process.exitCode = traces.size === 1 ? 0 : 1;
}

function traceOf(node, options) {
  const began = Date.now();
  return new Promise((resolve) => {
    execFile(node, [...options, main, ...words], { maxBuffer: 64 << 20 }, (_error, stdout) => {
      const traces = [...stdout.matchAll(/trace ([0-9a-f]{64})/g)].map(([, trace]) => trace);
      const trace = traces.length === 0 ? `no trace: ${stdout.slice(-200)}` : traces.join(" ");
      resolve({ trace, seconds: ((Date.now() - began) / 1000).toFixed(1) });
    });
  });
}
