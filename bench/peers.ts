/**
 * The peers: where they are installed, and how. They are native add-ons, so they are no
 * dependencies of ours: bench/package.json pins them, and the first run that asks for one installs
 * them, in a checkout below bench/, from an installed package below the working directory.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const installMinutesMax = 15;

/** bench/ in the checkout or in the package; this file runs from dist/bench/. */
const source = fileURLToPath(new URL("../../bench/", import.meta.url));

/** The directory whose node_modules holds the peers. */
export function peersDirectory(): string {
  const isInstalled = source.includes(`${sep}node_modules${sep}`);
  return isInstalled ? join(process.cwd(), ".everwrite-bench") : source;
}

/** Imports an installed peer; rejects when it is not there or does not load here. */
export async function loadPeer<T>(name: string): Promise<T> {
  const require = createRequire(join(peersDirectory(), "package.json"));
  return (await import(pathToFileURL(require.resolve(name)).href)) as T;
}

/** Installs what is missing; says for each package that cannot be had why its rows are empty. */
export function installPeers(
  names: readonly string[],
  say: (line: string) => void,
): ReadonlyMap<string, string> {
  const directory = peersDirectory();
  const failures = new Map<string, string>();
  if (names.every((name) => loads(name))) return failures;
  if (directory !== source) {
    mkdirSync(directory, { recursive: true });
    copyFileSync(join(source, "package.json"), join(directory, "package.json"));
  }
  if (!names.every((name) => isInstalled(name))) {
    say(`installing the peers into ${join(directory, "node_modules")}`);
    // Scripts run below, one peer at a time, so that one that fails takes no other with it.
    npm(["install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]);
  }
  for (const name of names) {
    if (loads(name)) continue;
    say(`fetching or building the binary of ${name}`);
    const built = npm(["rebuild", name]);
    if (loads(name)) continue;
    failures.set(name, `cannot be installed here: ${built || "it does not load"}`);
  }
  return failures;
}

/** Runs npm in the directory of the peers; returns the last thing it complained of. */
function npm(args: readonly string[]): string {
  const run = spawnSync("npm", [...args, "--prefix", peersDirectory()], {
    encoding: "utf8",
    env: { ...process.env, ...headers() },
    shell: process.platform === "win32",
    timeout: installMinutesMax * 60_000,
  });
  if (run.status === 0) return "";
  const lines = (run.stderr || String(run.error)).split("\n").filter((line) => /\S/.test(line));
  const errors = lines.filter((line) => line.startsWith("npm error"));
  return (errors[0] ?? lines.at(-1) ?? "npm failed").slice(0, 160);
}

/** Builds against the headers beside this Node, where it has them: then none are downloaded. */
function headers(): Record<string, string> {
  const prefix = dirname(dirname(process.execPath));
  const present = existsSync(join(prefix, "include", "node", "node.h"));
  return present && !process.env["npm_config_nodedir"] ? { npm_config_nodedir: prefix } : {};
}

function isInstalled(name: string): boolean {
  return existsSync(join(peersDirectory(), "node_modules", name, "package.json"));
}

/** Tried in a process of its own: an add-on that crashes must not take the benchmark with it. */
function loads(name: string): boolean {
  if (!isInstalled(name)) return false;
  const probe =
    name === "better-sqlite3"
      ? 'new (require("better-sqlite3"))(":memory:")'
      : `require(${JSON.stringify(name)})`;
  const run = spawnSync(process.execPath, ["-e", probe], { cwd: peersDirectory() });
  return run.status === 0;
}
