/**
 * The peers, and the packages that measure: where they are installed, and how. The peers are native
 * add-ons, so they are no dependencies of ours: bench/package.json pins them, and the first run
 * that asks for one installs it. In a checkout that is below bench/; an installed package may not
 * be writable, so there it is the user's cache directory, or the one that was named.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

interface Manifest {
  readonly private?: boolean;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const installMinutesMax = 15;
/** Two quick tries: npm's own patience keeps a machine without a network waiting for minutes. */
const patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--prefer-offline"];

/** bench/ in the checkout or in the package; this file runs from dist/bench/, or in tests as is. */
const here = import.meta.url.endsWith(".ts") ? "./" : "../../bench/";
const source = fileURLToPath(new URL(here, import.meta.url));
const isCheckout = existsSync(join(source, "peers.ts"));
/** Child processes inherit it, so that they look where the packages were installed. */
const directoryVariable = "EVERWRITE_BENCH_PEERS";

/** From now on the peers are in this directory. */
export function usePeersDirectory(path: string): void {
  process.env[directoryVariable] = resolve(path);
}

/** Imports what was installed on demand; rejects when it is not there or does not load here. */
export async function loadPeer<T>(name: string): Promise<T> {
  const require = createRequire(join(peersDirectory(), "package.json"));
  return (await import(pathToFileURL(require.resolve(name)).href)) as T;
}

/** Installs what is missing; says for each package that cannot be had why not. */
export function installPeers(
  names: readonly string[],
  say: (line: string) => void,
): ReadonlyMap<string, string> {
  const failures = new Map<string, string>();
  if (names.every((name) => loads(name))) return failures;
  const directory = peersDirectory();
  let complaint = "";
  if (!names.every((name) => isInstalled(name))) {
    prepare(directory, names);
    say(`installing ${names.join(", ")} into ${join(directory, "node_modules")}`);
    // Scripts run below, one peer at a time, so that one that fails takes no other with it.
    const quietly = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"];
    complaint = npm(["install", ...quietly, ...patience]);
  }
  for (const name of names) {
    if (loads(name)) continue;
    if (isInstalled(name)) {
      say(`fetching or building the binary of ${name}`);
      complaint = npm(["rebuild", name, ...patience]);
      if (loads(name)) continue;
    }
    failures.set(name, `cannot be installed here: ${complaint || "it does not load"}`);
  }
  return failures;
}

/**
 * Installs what nothing can be measured without; throws one sentence when it cannot be had. A
 * checkout has these packages. Beside an installed Everwrite one may be found that belongs to
 * somebody else and is of another version, so there only what was installed here counts.
 */
export function installTools(names: readonly string[], say: (line: string) => void): void {
  if (isCheckout) return;
  for (const [name, why] of installPeers(names, say)) {
    throw new Error(
      `the benchmark needs the package ${name}, which ${why}; ` +
        "go online once, or name with --peers-dir a directory that has it",
    );
  }
}

/** `own` is the import of the package as the checkout has it. */
export function loadTool<T>(name: string, own: () => Promise<T>): Promise<T> {
  return isCheckout ? own() : loadPeer<T>(name);
}

/** The directory whose node_modules holds the peers. */
function peersDirectory(): string {
  const chosen = process.env[directoryVariable];
  if (chosen !== undefined && chosen !== "") return chosen;
  if (isCheckout) return source;
  const { version = "0" } = manifestOf(join(source, ".."));
  // Add-ons fit one line of Node, and each release of ours pins its own peers.
  return join(cacheDirectory(), "everwrite", `bench-${version}-node${process.versions.modules}`);
}

function cacheDirectory(): string {
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches");
  const chosen = process.env[process.platform === "win32" ? "LOCALAPPDATA" : "XDG_CACHE_HOME"];
  return chosen === undefined || chosen === "" ? join(homedir(), ".cache") : chosen;
}

/** Adds these packages to what the directory asks for; whatever else it asks for stays. */
function prepare(directory: string, names: readonly string[]): void {
  if (directory === source) return;
  const { dependencies: pins = {} } = manifestOf(source);
  const wanted = Object.entries(pins).filter(([name]) => names.includes(name));
  try {
    mkdirSync(directory, { recursive: true });
    const path = join(directory, "package.json");
    const fresh: Manifest = { private: true };
    const present = existsSync(path) ? manifestOf(directory) : fresh;
    const dependencies = { ...present.dependencies, ...Object.fromEntries(wanted) };
    writeFileSync(path, `${JSON.stringify({ ...present, dependencies }, null, 2)}\n`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${why}; name with --peers-dir a directory that can be written`);
  }
}

function manifestOf(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;
}

/** Runs npm in the directory of the peers; returns the last thing it complained of. */
function npm(args: readonly string[]): string {
  const run = spawnSync("npm", [...args, "--prefix", peersDirectory()], {
    encoding: "utf8",
    cwd: peersDirectory(),
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
