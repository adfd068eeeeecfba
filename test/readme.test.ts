/** What the two READMEs say is held against the code: files exist, and error tables are whole. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { engineCodes } from "../native-free-engine/errors.ts";
import { clusterCodes } from "../src/errors.ts";
import { root } from "./support/sources.ts";

const pages = ["README.md", "native-free-engine/README.md"] as const;
const texts = new Map(pages.map((page) => [page, readFileSync(join(root, page), "utf8")]));

describe("the READMEs", () => {
  test.each(pages)("%s names only files that exist", (page) => {
    const text = texts.get(page) ?? "";
    const here = dirname(page);
    const named = [
      ...[...text.matchAll(/`([\w./-]+\.(?:ts|mjs|md|sh))`/g)].map((match) => match[1] ?? ""),
      ...[...text.matchAll(/\]\(([\w./-]+)\)/g)].map((match) => match[1] ?? ""),
    ];
    expect(named.length).toBeGreaterThan(10);
    // The tour speaks of a folder once, and then of its files.
    const folders = ["", here, "src/core", "src/core/quorum", "test"];
    const isThere = (path: string): boolean =>
      folders.some((folder) => existsSync(join(root, folder, path)));
    expect(named.filter((path) => !isThere(path))).toEqual([]);
  });

  test("list every error of the cluster", () => {
    const rows = [
      ...(texts.get("README.md") ?? "").matchAll(/^\| `(\w+)` \| (\d+) \| (\w+) \| (.*) \|$/gm),
    ];
    const told = rows.map(([, code, exit, applied, meaning]) => ({ code, exit, applied, meaning }));
    const known = Object.entries(clusterCodes).map(([code, { exit, applied, meaning }]) => ({
      code,
      exit: String(exit),
      applied,
      meaning,
    }));
    expect(told).toEqual(known);
  });

  test("list every error of the engine", () => {
    const text = texts.get("native-free-engine/README.md") ?? "";
    const rows = [...text.matchAll(/^\| `(\w+)` \| (\d+) \| (.*) \|$/gm)];
    const told = rows.map(([, code, exit, meaning]) => ({ code, exit, meaning }));
    const known = Object.entries(engineCodes).map(([code, { exit, meaning }]) => ({
      code,
      exit: String(exit),
      meaning,
    }));
    expect(told).toEqual(known);
  });
});
