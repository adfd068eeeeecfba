/**
 * Every mutant still fits the sources that it breaks. Whether its test kills it is for
 * `npm run mutants` to show, which takes minutes.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../support/sources.ts";
import { applyPatch, readPatches } from "./patches.mjs";

const patches = readPatches();

describe("the deliberately broken engines", () => {
  test.each(patches)("$name applies", (patch) => {
    expect(applyPatch(patch, root, { check: true })).toEqual({ applies: true, said: "" });
    expect(patch.promise).toMatch(/^[A-Z].*\.$/);
    expect(existsSync(join(root, patch.killer)), patch.killer).toBe(true);
  });

  test("there is at least one for each promise of a database", () => {
    expect(patches.length).toBeGreaterThanOrEqual(20);
  });
});
