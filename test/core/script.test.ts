/**
 * Protocol scripts: each page under test/scripts can be checked against the paper by eye. They are
 * rewritten only on purpose: REWRITE=1, and then read again.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { replay } from "../support/quorum-script.ts";

const folder = fileURLToPath(new URL("../scripts/", import.meta.url));
const mark = "---\n";

describe("scripts", () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".txt"))) {
    const text = readFileSync(folder + file, "utf8");
    const at = text.indexOf(mark);
    const input = at === -1 ? text : text.slice(0, at);
    const title = /^# (.*)/.exec(text)?.[1] ?? file;
    test(`${title} (${file})`, () => {
      const happened = replay(input);
      if (process.env["REWRITE"] === "1") writeFileSync(folder + file, input + mark + happened);
      else expect(happened).toBe(text.slice(at + mark.length));
    });
  }
});
