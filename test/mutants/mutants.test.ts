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
/** What a mutant may be asked for by: `npm run mutants -- --set storage`. */
const sets = [
  ...["storage", "versions", "quorum", "far", "handoff", "sync"],
  ...["ring", "transfer", "cleanup", "access", "client"],
];

describe("the deliberately broken sources", () => {
  test.each(patches)("$name applies", (patch) => {
    expect(applyPatch(patch, root, { check: true })).toEqual({ applies: true, said: "" });
    expect(patch.promise).toMatch(/^[A-Z`].*\.$/);
    expect(existsSync(join(root, patch.killer)), patch.killer).toBe(true);
    expect(sets).toContain(patch.set);
    expect(patch.touches.length).toBeGreaterThan(0);
    for (const path of patch.touches) expect(path).toMatch(/^(src|native-free-engine)\/.+\.ts$/);
  });

  test("there are at least sixty, and some of each set", () => {
    expect(patches.length).toBeGreaterThanOrEqual(60);
    expect(new Set(patches.map(({ set }) => set))).toEqual(new Set(sets));
  });

  test("those that are judged in every run name the test that fails of them", () => {
    const often = patches.filter(({ set }) => set === "storage" || set === "versions");
    expect(often.filter(({ title }) => title === "").map(({ name }) => name)).toEqual([]);
  });

  test("each breaks a promise of its own", () => {
    expect(new Set(patches.map(({ promise }) => promise)).size).toBe(patches.length);
  });
});
