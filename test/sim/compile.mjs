/**
 * Turns the product and the simulator into plain JavaScript, so that a run is a process of plain
 * Node, under whatever options and of whatever version. Only what is newer than its copy is turned;
 * types are checked elsewhere. Gives the path of the program.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));
const out = join(root, "node_modules", ".cache", "everwrite-sim");
const folders = ["native-free-engine", "src", join("test", "sim")];
const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  rewriteRelativeImportExtensions: true,
  inlineSourceMap: true,
};

export function compileSim() {
  mkdirSync(out, { recursive: true });
  replace(join(out, "package.json"), JSON.stringify({ type: "module" }));
  for (const folder of folders) for (const path of sourcesIn(folder)) compile(path);
  return join(out, "test", "sim", "main.js");
}

/** Paths from the root; tests, and what only they use, need a test runner. */
function sourcesIn(folder) {
  const names = readdirSync(join(root, folder), { recursive: true });
  const isWanted = (name) => /\.ts$/.test(name) && !/\.test\.ts$|story\.ts$/.test(name);
  return names.filter(isWanted).map((name) => join(folder, name));
}

function compile(path) {
  const source = join(root, path);
  const target = join(out, path.replace(/\.ts$/, ".js"));
  const made = statSync(target, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (made > statSync(source).mtimeMs) return;
  const { outputText } = ts.transpileModule(readFileSync(source, "utf8"), {
    compilerOptions,
    fileName: source,
  });
  mkdirSync(dirname(target), { recursive: true });
  replace(target, outputText);
}

/** Another process may be compiling, or running what is there. */
function replace(path, text) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}
