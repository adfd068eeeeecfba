/** The page of the tests names every scenario and invariant, and what it names exists. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { textOfPage } from "./support/format-page.ts";

const page = textOfPage("test/README.md");

function rowsOf(letter: string): readonly string[] {
  return page.match(new RegExp(`^\\| ${letter}\\d+ \\|.*$`, "gm")) ?? [];
}

function textOf(path: string): string {
  const file = new URL(path, import.meta.url);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

test.each([
  ["S", 38],
  ["I", 20],
] as const)("%s1 to %i each have one row", (letter, count) => {
  const names = rowsOf(letter).map((row) => row.split("|")[1]?.trim());
  expect(names).toEqual(Array.from({ length: count }, (_, i) => `${letter}${i + 1}`));
});

test("every scenario is told by a test of that title", () => {
  const missing: string[] = [];
  for (const row of rowsOf("S")) {
    const told = [...row.matchAll(/`([^`]+\.test\.ts)`: "([^"]+)"/g)];
    if (told.length === 0) missing.push(row);
    for (const [, path = "", title = ""] of told) {
      if (!textOf(path).includes(title)) missing.push(`${path}: ${title}`);
    }
  }
  expect(missing).toEqual([]);
});

test("every checker that is named exists", () => {
  const named = rowsOf("I").flatMap((row) => [...row.matchAll(/`([^`]+)`/g)]);
  const paths = named.map(([, path = ""]) => path).filter((path) => path.endsWith(".ts"));
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => textOf(path) === "")).toEqual([]);
});
