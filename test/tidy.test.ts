/**
 * The rules of the house that a program can check, so that no reviewer has to remember them:
 * layers and cycles, who may import what, sizes, names, and what must not be left lying about.
 * Each test lists the offenders: an empty list is a tidy repository.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { namesIn, readSources, root, type Source, trackedFiles, visit } from "./support/sources.ts";

const sources = readSources();
const engine = sources.filter(({ path }) => path.startsWith("native-free-engine/"));
const shipped = sources.filter(({ path }) => /^(bin|src|native-free-engine)\//.test(path));

/** One importer per package (or one folder): replacing one is a one-file change. */
const importersOf: Readonly<Record<string, readonly string[]>> = {
  "xxhash-wasm": ["native-free-engine/base/hash.ts"],
  "bloom-filters": ["native-free-engine/table/filter.ts"],
  piscina: ["native-free-engine/compaction/thread-workers.ts"],
  commander: ["bin/program.ts"],
  ws: ["src/runtime/sockets.ts"],
  pino: ["src/runtime/log.ts"],
  zod: ["src/runtime/config.ts"],
  "abstract-level": ["native-free-engine/level.ts", "native-free-engine/level/"],
  "node:fs": [
    "bin/files.ts",
    "native-free-engine/disk/node-disk.ts",
    "native-free-engine/disk/node-lock.ts",
    "src/runtime/files.ts",
    "src/runtime/checkpoint-files.ts",
  ],
  "node:zlib": ["native-free-engine/table/codec.ts"],
};

/** kvctl's doors: the client, a node, the engine, and looks into directories. */
const seenByKvctl = new RegExp(
  [
    "^bin/|^src/client/|^src/(index|serve|errors|core/limits|runtime/tokens)\\.ts",
    "^src/store/(node-directory|store-format|distrust)\\.ts",
    "^native-free-engine/(index|inspect)\\.ts",
  ].join("|"),
);

/** What a layer may see of ours. The first matching layer rules. */
const layers: readonly { readonly of: RegExp; readonly sees: RegExp }[] = [
  { of: /^native-free-engine\/base\//, sees: /^native-free-engine\/(base\/|errors\.ts)/ },
  { of: /^native-free-engine\//, sees: /^native-free-engine\// },
  { of: /^src\/core\//, sees: /^(src\/core\/|native-free-engine\/base\/)/ },
  { of: /^src\//, sees: /^(src\/|native-free-engine\/((index|errors)\.ts|base\/))/ },
  { of: /^bin\/commands\/bench\.ts$/, sees: /^(bin\/|bench\/run\.ts)/ },
  { of: /^bin\//, sees: seenByKvctl },
  { of: /^bench\/core/, sees: /./ },
  { of: /^bench\//, sees: /^(bench\/|src\/index|native-free-engine\/(index|inspect|level)\.ts)/ },
  { of: /^test\//, sees: /./ },
];

describe("imports", () => {
  test("every relative import names a file that exists", () => {
    const known = new Set(sources.map(({ path }) => path));
    expect(
      offenders((source) => source.imports.filter((path) => !known.has(path) && !isBuilt(path))),
    ).toEqual([]);
  });

  test("no layer sees one above it", () => {
    expect(
      offenders(({ path, imports }) => {
        const layer = layers.find(({ of }) => of.test(path));
        return imports.filter((imported) => layer === undefined || !layer.sees.test(imported));
      }),
    ).toEqual([]);
  });

  test("there are no cycles", () => {
    expect(findCycle(sources)).toEqual([]);
  });

  test("each package has one importer", () => {
    expect(
      offenders(
        ({ path, packages }) =>
          packages.filter((name) => {
            const allowed = importersOf[name];
            if (allowed === undefined) return !name.startsWith("node:");
            return !allowed.some((place) => place === path || isInside(path, place));
          }),
        shipped,
      ),
    ).toEqual([]);
  });

  test("kvctl begins without loading the engine", () => {
    const loaded = loadedWith("bin/kvctl.ts");
    expect(loaded).toContain("bin/commands.ts");
    expect(loaded.filter((path) => !path.startsWith("bin/"))).toEqual([]);
  });

  test("the package's door begins with what is small, and loads the rest when it is used", () => {
    const ours = /^src\/((index|errors)\.ts|client\/(context\.ts|crdt\/|resolve\/))/;
    const engines = /^native-free-engine\/(errors\.ts|base\/)/;
    const loaded = loadedWith("src/index.ts");
    expect(loaded.filter((path) => !ours.test(path) && !engines.test(path))).toEqual([]);
  });

  test("a client loads neither the engine nor a server's parts", () => {
    const loaded = loadedWith("src/client/client.ts");
    const heavy = /^(native-free-engine\/(?!base\/)|src\/(store|core\/(quorum|sync|members))\/)/;
    const servers = /^src\/runtime\/(?!(sockets|refusal|tls-failure|keep-alive)\.ts)/;
    expect(loaded.filter((path) => heavy.test(path) || servers.test(path))).toEqual([
      // A small file that base/ stands on.
      "native-free-engine/errors.ts",
    ]);
  });

  test("no module of the package awaits at its top level, so that require() can load it", () => {
    expect(offenders(({ tree }) => tree.statements.filter(awaits).map(firstLine), shipped)).toEqual(
      [],
    );
  });
});

describe("the engine", () => {
  test("takes time and chance from its ports alone", () => {
    // Where the ports are made, and where a thread that never answers has to be given up.
    const edges = ["system-clock.ts", "compaction/thread-workers.ts"];
    const banned = ["Date.now", "Math.random", "performance", "setTimeout", "setInterval"];
    const inside = engine.filter(({ path }) => !edges.some((edge) => path.endsWith(edge)));
    expect(offendingNames(banned, inside)).toEqual([]);
    expect(offendingLines(/new Date\(\)/).filter((place) => /^native/.test(place))).toEqual([]);
  });

  test("prints nothing, and reads no environment", () => {
    expect(offendingNames(["console", "process.env", "process.stdout"], engine)).toEqual([]);
  });

  test("kvctl prints through one file", () => {
    const printers = ["console", "process.stdout", "process.stderr"];
    const others = shipped.filter(({ path }) => path !== "bin/output.ts");
    expect(offendingNames(printers, others)).toEqual([]);
  });
});

describe("sizes", () => {
  test("a file has at most 400 lines", () => {
    const tooLong = sources.filter(({ lines }) => lines.length - 1 > 400);
    expect(tooLong.map(({ path, lines }) => `${path}: ${lines.length - 1} lines`)).toEqual([]);
  });

  test("a line has at most 100 columns", () => {
    expect(
      offenders(({ lines }) =>
        lines.flatMap((line, index) => (line.length > 100 ? [`line ${index + 1}`] : [])),
      ),
    ).toEqual([]);
  });

  test("a function has at most 70 lines", () => {
    expect(offenders(longFunctions, shipped)).toEqual([]);
  });
});

describe("names and comments", () => {
  test("a file is named in kebab-case, for a thing", () => {
    const banned = /utils?|helpers?|common|misc|manager|base-class/;
    const bad = sources
      .map(({ path }) => path)
      .filter((path) => {
        const stem = basename(path).replace(/(\.test|\.config)?\.(ts|mjs)$/, "");
        return !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem) || banned.test(stem);
      });
    expect(bad).toEqual([]);
  });

  test("index.ts is only a package's door", () => {
    const doors = ["native-free-engine/index.ts", "src/index.ts"];
    const indexes = sources.filter(({ path }) => basename(path) === "index.ts");
    expect(indexes.map(({ path }) => path).filter((path) => !doors.includes(path))).toEqual([]);
  });

  test("a file opens by saying what it is for", () => {
    const silent = shipped.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });
});

describe("leftovers", () => {
  test("nothing is focused, half done or commented out", () => {
    const marks = new RegExp(
      `\\b(TO${"DO"}|FIX${"ME"}|XX${"X"})\\b|\\b(test|describe|it)\\.on${"ly"}\\b`,
    );
    expect(offendingLines(marks)).toEqual([]);
  });

  test("no tracked file names a machine, its folders or its package registry", () => {
    const places = new RegExp(
      ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/"].join("|"),
    );
    const hosts = new RegExp(
      ["artif" + "actory", "verda" + "ccio", "npm" + "mirror"].join("|"),
      "i",
    );
    expect([...offendingLines(places), ...offendingLines(hosts)]).toEqual([]);
  });

  test("the lock file names no registry", () => {
    expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toContain('"resolved"');
  });

  test("the top level holds what the design says, and dotfiles", () => {
    const allowed = [
      ...["package.json", "package-lock.json", "tsconfig.json", "README.md", "LICENSE"],
      ...["CHANGELOG.md", "src", "native-free-engine", "bench", "test", "bin"],
    ];
    const names = new Set((trackedFiles() ?? []).map((path) => path.split("/", 1).join()));
    const strays = [...names].filter((name) => !allowed.includes(name) && !name.startsWith("."));
    expect(strays).toEqual([]);
  });
});

/** What is loaded with a file before anything in it is called, itself included. */
function loadedWith(first: string): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const loaded = new Set([first]);
  for (const path of loaded) for (const next of byPath.get(path)?.loads ?? []) loaded.add(next);
  return [...loaded];
}

function offenders(find: (source: Source) => readonly string[], among = sources): string[] {
  return among.flatMap((source) => find(source).map((what) => `${source.path}: ${what}`));
}

function offendingNames(banned: readonly string[], among: readonly Source[]): string[] {
  return offenders(
    (source) => {
      const names = namesIn(source);
      return banned.filter((name) => names.has(name));
    },
    [...among],
  );
}

/** Over everything that git tracks, so that documents and scripts count too. */
function offendingLines(pattern: RegExp): string[] {
  return (trackedFiles() ?? [])
    .filter((path) => path !== "package-lock.json")
    .flatMap((path) => {
      const lines = readFileSync(join(root, path), "utf8").split("\n");
      return lines.flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : []));
    });
}

function isInside(path: string, folder: string): boolean {
  return folder.endsWith("/") && path.startsWith(folder);
}

/** Tests may import the built package. */
function isBuilt(path: string): boolean {
  return path.startsWith("dist/") || existsSync(join(root, path));
}

function findCycle(among: readonly Source[]): string[] {
  const byPath = new Map(among.map((source) => [source.path, source]));
  const finished = new Set<string>();
  const walk = (path: string, trail: readonly string[]): string[] => {
    const at = trail.indexOf(path);
    if (at !== -1) return [...trail.slice(at), path];
    if (finished.has(path)) return [];
    for (const next of byPath.get(path)?.imports ?? []) {
      const cycle = walk(next, [...trail, path]);
      if (cycle.length > 0) return cycle;
    }
    finished.add(path);
    return [];
  };
  for (const { path } of among) {
    const cycle = walk(path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

function longFunctions({ tree }: Source): string[] {
  const found: string[] = [];
  visit(tree, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
    const first = tree.getLineAndCharacterOfPosition(node.getStart()).line;
    const last = tree.getLineAndCharacterOfPosition(node.end).line;
    if (last - first + 1 > 70) found.push(`line ${first + 1}: ${last - first + 1} lines`);
  });
  return found;
}

function awaits(statement: ts.Node): boolean {
  if (ts.isFunctionLike(statement)) return false;
  if (ts.isAwaitExpression(statement)) return true;
  if (ts.isForOfStatement(statement) && statement.awaitModifier) return true;
  return ts.forEachChild(statement, (child) => awaits(child) || undefined) ?? false;
}

function firstLine(node: ts.Node): string {
  return node.getText().split("\n", 1).join();
}
