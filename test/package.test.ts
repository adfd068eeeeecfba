/**
 * The package as a user gets it: packed, installed in an empty directory without development and
 * optional dependencies, and loaded both ways under a Node that refuses native add-ons.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSources, root } from "./support/sources.ts";

interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
const doors = ["everwrite", "everwrite/engine", "everwrite/level"];

let scratch = "";
let packed: readonly string[] = [];

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "everwrite-package-"));
  const listed = npm(root, "pack", "--ignore-scripts", "--json", "--pack-destination", scratch);
  const [{ filename, files }] = JSON.parse(listed) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = files.map(({ path }) => path);
  writeFileSync(join(scratch, "package.json"), '{ "name": "user", "private": true }\n');
  const quietly = ["--no-audit", "--no-fund", "--prefer-offline"];
  npm(scratch, "install", "--omit=dev", "--omit=optional", ...quietly, join(scratch, filename));
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("the tarball", () => {
  test("holds what exports and bin point to", () => {
    const targets = [
      ...Object.values(manifest.bin),
      ...Object.values(manifest.exports).flatMap((target) =>
        typeof target === "string" ? [target] : Object.values(target),
      ),
    ];
    expect(targets.map((path) => path.replace(/^\.\//, "")).filter(isMissing)).toEqual([]);
  });

  test("holds only built files that have a source, and documents", () => {
    const strays = packed.filter((path) => {
      if (path === "bench/package.json") return false;
      if (!path.startsWith("dist/")) return !/^(package\.json|LICENSE|[A-Z]+\.md)$/.test(path);
      const source = path.replace(/^dist\//, "").replace(/(\.d\.ts|\.js)$/, ".ts");
      return !existsSync(join(root, source));
    });
    expect(strays).toEqual([]);
  });

  test("holds no tests or native code", () => {
    expect(packed.filter((path) => /^dist\/test\/|\.node$/.test(path))).toEqual([]);
  });

  test("depends on what its sources import, and on nothing else", () => {
    const shipped = readSources().filter(({ path }) =>
      /^(bin|src|native-free-engine)\//.test(path),
    );
    const imported = shipped.flatMap(({ packages }) => packages);
    const ours = imported.filter((name) => !name.startsWith("node:"));
    expect([...new Set(ours)].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  });
});

describe("the benchmarks of the package", () => {
  interface Pins {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies?: Readonly<Record<string, string>>;
  }

  test("import what bench/package.json pins, at the version that is developed with", () => {
    const { dependencies: pins } = readJson<Pins>("bench/package.json");
    const benches = readSources().filter(({ path }) => path.startsWith("bench/"));
    const imported = new Set(
      benches.flatMap(({ packages }) => packages).filter((name) => !name.startsWith("node:")),
    );
    expect([...imported].sort()).toEqual(["benny", "hdr-histogram-js"]);
    for (const name of imported) {
      expect(readJson<{ version: string }>(`node_modules/${name}/package.json`).version).toBe(
        pins[name],
      );
      expect(manifest.dependencies).not.toHaveProperty(name);
    }
  });

  test("run as kvctl bench, with what they need installed on demand", () => {
    const peers = join(scratch, "peers");
    const json = join(scratch, "results.json");
    const rows = ["--workloads", "fillrandom,readrandom", "--n", "2000", "--rounds", "1"];
    const where = ["--peers-dir", peers, "--json", json];
    const ran = bench(["engine", "--peers", "none", ...rows, ...where]);
    expect(ran.stderr).toContain("installing hdr-histogram-js into");
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout).toMatch(/^readrandom ×128 +[\d,]+ /m);
    expect(Object.keys(readJson<Pins>(join(peers, "package.json")).dependencies)).toEqual([
      "hdr-histogram-js",
    ]);
    const { rows: saved, command } = readJson<{ rows: object[]; command: string }>(json);
    expect(saved.length).toBe(4);
    expect(command).toMatch(/^kvctl bench engine /);
    expect(bench(["compare", json, json])).toMatchObject({ status: 0, stderr: "" });
  });

  test("say in one line what they lack where nothing can be installed", () => {
    const offline = { npm_config_offline: "true", npm_config_cache: join(scratch, "empty") };
    const options = ["--peers", "none", "--n", "1000", "--peers-dir", join(scratch, "none")];
    const ran = bench(["engine", ...options], offline);
    expect(ran).toMatchObject({ status: 1, stdout: "" });
    const [installing, lacking, ...rest] = ran.stderr.trim().split("\n");
    expect(installing).toContain("installing hdr-histogram-js into");
    expect(lacking).toMatch(/^the benchmark needs the package hdr-histogram-js, .*--peers-dir/);
    expect(rest).toEqual([]);
  });
});

describe("an installation without optional dependencies", () => {
  test("contains no .node file", () => {
    const files = readdirSync(join(scratch, "node_modules"), { recursive: true, encoding: "utf8" });
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((path) => path.endsWith(".node"))).toEqual([]);
  });

  test.each(doors)("loads %s with import and with require", (door) => {
    const names = "JSON.stringify(Object.keys(door).sort())";
    const imported = node(`const door = await import("${door}"); console.log(${names})`, "module");
    const required = node(`const door = require("${door}"); console.log(${names})`, "commonjs");
    expect(JSON.parse(imported).length).toBeGreaterThan(0);
    expect(JSON.parse(required)).toEqual(JSON.parse(imported));
  });

  test("writes, flushes in a thread, and reads, with no add-on loaded", () => {
    const printed = node(
      `import { openEngine } from "everwrite/engine";
       const engine = await openEngine("data");
       await engine.put("greeting", "hello");
       await engine.flush();
       console.log(Buffer.from(await engine.get("greeting")).toString());
       console.log(engine.stats().flushes);
       await engine.close();
       const { sharedObjects } = process.report.getReport();
       console.log(sharedObjects.filter((path) => path.endsWith(".node")).length);`,
      "module",
    );
    expect(printed.trim().split("\n")).toEqual(["hello", "1", "0"]);
  });

  test("has a kvctl that runs", () => {
    const bin = join(scratch, "node_modules", ".bin", "kvctl");
    expect(execFileSync(bin, ["--version"], { encoding: "utf8" })).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("has types that a strict consumer can use", () => {
    writeFileSync(
      join(scratch, "consumer.ts"),
      `import { openEngine, type Engine } from "everwrite/engine";
       import { EverwriteLevel } from "everwrite/level";
       export const engine: Promise<Engine> = openEngine("data", { durability: "sync" });
       export const level = new EverwriteLevel<string, string>("data");
       export const found: Promise<Uint8Array | undefined> = engine.then((open) => open.get("a"));`,
    );
    const options = [
      "--module",
      "nodenext",
      "--target",
      "es2023",
      "--lib",
      "es2023,esnext.disposable",
    ];
    const strict = ["--strict", "--exactOptionalPropertyTypes", "--noEmit", "--types", "node"];
    const roots = ["--typeRoots", join(root, "node_modules", "@types")];
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    const args = [compiler, ...options, ...strict, ...roots, "consumer.ts"];
    expect(run(process.execPath, args, scratch)).toBe("");
  });
});

function bench(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const bin = join(scratch, "node_modules", ".bin", "kvctl");
  const { status, stdout, stderr } = spawnSync(bin, ["bench", ...args], {
    cwd: scratch,
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(resolve(root, path), "utf8")) as T;
}

function isMissing(path: string): boolean {
  return !packed.includes(path);
}

function npm(directory: string, ...args: readonly string[]): string {
  return run("npm", ["--loglevel=error", ...args], directory);
}

function node(script: string, type: "module" | "commonjs"): string {
  const args = ["--no-addons", `--input-type=${type}`, "--no-warnings", "-e", script];
  return run(process.execPath, args, scratch);
}

/** What it printed; on failure, an error that shows all of it. */
function run(program: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(program, args, {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
