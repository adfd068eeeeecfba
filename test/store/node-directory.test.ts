/** kvctl over the directory of a stopped node: the user's keys, and nothing that is local. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openEngine } from "../../native-free-engine/index.ts";
import { merge, noVersions } from "../../src/core/clock/versions.ts";
import { Store } from "../../src/store/store.ts";
import { kvctl, scratch } from "../cli/run-kvctl.ts";
import { ask, change, foreign, keyFrom, newActor, partitions } from "./store-fixture.ts";

const entries = [
  { key: keyFrom("apple"), versions: foreign("red") },
  { key: keyFrom("pear"), versions: merge(foreign("green"), foreign("yellow")) },
  { key: keyFrom("plum", "fruit"), versions: foreign("blue") },
  { key: keyFrom("gone"), versions: foreign(undefined) },
];

describe("a node's directory", () => {
  test("exports the same bytes wherever replicas agree, whatever else they hold", async () => {
    const ours = await directoryOf(entries);
    const theirs = await directoryOf([...entries].reverse(), { hints: true });
    const [first, second] = [await run(ours, "export"), await run(theirs, "export")];
    expect(first.stderr).toBe("");
    expect(first.code).toBe(0);
    expect(second.stdout).toBe(first.stdout);
    const lines = first.stdout.trim().split("\n");
    expect(lines).toHaveLength(3);
    const found = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const dot = entries[0]!.versions.siblings[0]!.dot;
    expect(found.find(({ key }) => key === "apple")).toEqual({
      key: "apple",
      value: "red",
      versions: `${dot.actor}:1;;${dot.actor}:1`,
    });
    expect(found.find(({ key }) => key === "pear")).toMatchObject({ values: ["green", "yellow"] });
    expect(found.find(({ key }) => key === "plum")).toMatchObject({ bucket: "fruit" });
  });

  test("is read by get and scan", async () => {
    const path = await directoryOf(entries);
    expect(await run(path, "get", "apple")).toMatchObject({ code: 0, stdout: "red" });
    expect(await run(path, "get", "pear")).toMatchObject({ code: 4, stdout: "" });
    expect(await run(path, "get", "gone")).toMatchObject({ code: 3, stdout: "" });
    expect(await run(path, "scan", "--count")).toMatchObject({ code: 0, stdout: "3\n" });
    const some = await run(path, "scan", "--prefix", "pe");
    expect(some).toMatchObject({ code: 0, stdout: "pear\tgreen\tyellow\n" });
    expect(await run(path, "scan", "--reverse")).toMatchObject({ code: 2 });
  });

  test("refuses every write, and is left as it was", async () => {
    const path = await directoryOf(entries);
    const before = await run(path, "export");
    for (const args of [
      ["put", "a", "b"],
      ["del", "apple"],
      ["import", "-"],
    ]) {
      const { code, stderr } = await kvctl(["--db", path, ...args], {
        input: '{"key":"a","value":"b"}\n',
      });
      expect(`${code} ${stderr}`).toMatch(/^2 .*\(NODE_DIRECTORY\)/);
    }
    expect(await run(path, "export")).toEqual(before);
  });

  test("gives lines that an embedded database imports", async () => {
    const path = await directoryOf(entries.filter(({ key }) => key.bucket === "").slice(0, 1));
    const { stdout } = await run(path, "export");
    const copy = join(scratch(), "copy");
    const imported = await kvctl(["--db", copy, "import", "-"], { input: stdout });
    expect(imported.code).toBe(0);
    expect(await run(copy, "get", "apple")).toMatchObject({ code: 0, stdout: "red" });
  });
});

function run(path: string, ...args: string[]) {
  return kvctl(["--db", path, ...args]);
}

async function directoryOf(
  merged: typeof entries,
  { hints = false }: { readonly hints?: boolean } = {},
): Promise<string> {
  const path = join(scratch(), "node");
  const engine = await openEngine(path, { workers: false });
  const store = await Store.open({ engine, partitions, newActor });
  if (hints) {
    const entry = { key: keyFrom("absent"), versions: foreign("hint", noVersions) };
    await ask(store, { kind: "keep-hints", targets: [9], entry, round: 0 });
    await ask(store, { kind: "save-meta", name: "vote", bytes: Uint8Array.of(1) });
    await ask(store, {
      kind: "write",
      key: keyFrom("short-lived"),
      context: noVersions,
      change: change("x", { expiresAt: 1 }),
      targets: [],
      siblingsMax: 64,
      siblingBytesMax: 1 << 22,
    });
  }
  for (const entry of merged) await ask(store, { kind: "merge", entries: [entry], round: 0 });
  await store.close();
  await engine.close();
  return path;
}
