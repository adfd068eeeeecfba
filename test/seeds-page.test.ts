/** seeds.md lists every claim once, and the tests that it names exist. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { textOfPage } from "./support/format-page.ts";

const rows = textOfPage("test/seeds.md").match(/^\| \d.*$/gm) ?? [];

test("every claim has one row, and an answer", () => {
  expect(rows.map((row) => Number(row.split("|")[1]))).toEqual(
    Array.from({ length: 62 }, (_, i) => i + 1),
  );
  const empty = rows.filter((row) => (row.split("|")[3] ?? "").trim().length < 10);
  expect(empty).toEqual([]);
});

test("every test that is named exists", () => {
  const missing: string[] = [];
  for (const [, path = "", title] of rows.join("\n").matchAll(/`(test\/[^`]+)`(?:: "([^"]+)")?/g)) {
    const file = new URL(`../${path}`, import.meta.url);
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    if (text === "" || (title !== undefined && !text.includes(title)))
      missing.push(`${path}: ${title}`);
  }
  expect(missing).toEqual([]);
});
