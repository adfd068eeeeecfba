/**
 * Programs under test/ that are written in TypeScript. What they import is turned into plain
 * JavaScript in one place, so that a run is a process of plain Node, under whatever options and of
 * whatever version. Only what is newer than its copy is turned; types are checked elsewhere.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The tripwire of the simulator knows the sources by this name too. */
const out = join(root, "node_modules", ".cache", "everwrite-programs");
const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  rewriteRelativeImportExtensions: true,
  inlineSourceMap: true,
};

/** Where the program of test/NAME is once it is compiled. */
export function programOf(name) {
  return join(out, "test", name, "main.js");
}

export function compile(name) {
  mkdirSync(out, { recursive: true });
  replace(join(out, "package.json"), JSON.stringify({ type: "module" }));
  const paths = new Set([join("test", name, "main.ts")]);
  // A set takes in more while it is walked.
  for (const path of paths) for (const next of turned(path)) paths.add(next);
}

/** With the arguments of this process, or those given; `flags` are for Node itself. */
export function runCompiled(name, { flags = [], words = process.argv.slice(2) } = {}) {
  compile(name);
  const args = [...flags, programOf(name), ...words];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  process.exitCode = status ?? 1;
}

/** Brings the copy of a source up to date, and gives the paths of what it imports. */
function turned(path) {
  const fileName = join(root, path);
  const text = readFileSync(fileName, "utf8");
  const target = join(out, path.replace(/ts$/, "js"));
  const made = statSync(target, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (made <= statSync(fileName).mtimeMs) {
    mkdirSync(dirname(target), { recursive: true });
    replace(target, ts.transpileModule(text, { compilerOptions, fileName }).outputText);
  }
  return ts
    .preProcessFile(text)
    .importedFiles.map((imported) => imported.fileName)
    .filter((imported) => /^\..*\.ts$/.test(imported))
    .map((imported) => join(dirname(path), imported));
}

/** Another process may be compiling, or running what is there. */
function replace(path, text) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}
