/** Inspection shows what stands in a file, damaged or not, and where it cannot be read. */
import { expect, test } from "vitest";
import type { MemoryDisk } from "../../../native-free-engine/disk/memory-disk.ts";
import { describeFileOn, type FileDescription } from "../../../native-free-engine/inspect.ts";
import { buildSample, filesOf } from "../../support/damage-samples.ts";
import { directory, now } from "../../support/still-world.ts";

const shape = { name: "killed", closes: false, syncs: "often", logs: true } as const;
const damageOf = (described: FileDescription) => ("damage" in described ? described.damage : []);

test("every file of a database is shown, and the entries in it", async () => {
  const { disk, keys } = await buildSample(shape);
  const seen = new Set<string>();
  for (const { file, kind, bytes } of filesOf(disk)) {
    const described = await describeFileOn(disk, `${directory}/${file}`);
    expect(described).toMatchObject({ kind, file, bytes: bytes.length });
    expect(damageOf(described)).toEqual([]);
    expect(JSON.parse(JSON.stringify(described))).toEqual(described);
    for (const { key } of entriesOf(described)) if ("text" in key) seen.add(key.text);
  }
  expect([...seen].sort()).toEqual(keys.filter((key) => !["never", "zz"].includes(key)).sort());
});

test("entries say what they are", async () => {
  const { disk } = await buildSample(shape);
  const all: unknown[] = [];
  for (const { file } of filesOf(disk)) {
    all.push(...entriesOf(await describeFileOn(disk, `${directory}/${file}`)));
  }
  const expires = new Date(now + 3_600_000).toISOString();
  const key = (text: string) => ({ key: { text } });
  expect(all).toContainEqual(
    expect.objectContaining({
      kind: "expiring put",
      ...key("brief"),
      valueBytes: 4,
      value: { text: "hour" },
      expires,
    }),
  );
  expect(all).toContainEqual(
    expect.objectContaining({ kind: "delete", ...key("deep/7"), valueBytes: 0 }),
  );
});

test("a limit shortens lists, not counts", async () => {
  const { disk } = await buildSample(shape);
  for (const { file, kind } of filesOf(disk)) {
    const path = `${directory}/${file}`;
    const whole = await describeFileOn(disk, path);
    const short = await describeFileOn(disk, path, { limit: 2 });
    expect(entriesOf(short).length).toBeLessThanOrEqual(2);
    if (kind === "log") expect(short).toHaveProperty("operationCount", countOf(whole));
    if (kind === "table") expect(short).toMatchObject({ entryCount: countOf(whole) });
  }
});

test("keys that are no text, and long values cut inside of a character, are shown", async () => {
  const { show } = await import("../../../native-free-engine/inspect-entry.ts");
  expect(show(Uint8Array.of(0xff, 0x00), 10)).toEqual({ hex: "ff00" });
  expect(show(Buffer.from("ein Fäßchen"), 6)).toEqual({ text: "ein F…" });
  expect(show(Buffer.from("\u{1f40c}"), 3)).toEqual({ text: "…" });
  expect(show(new Uint8Array(0), 3)).toEqual({ text: "" });
});

test("a flipped byte never stops it, and is named", async () => {
  const { disk } = await buildSample(shape);
  for (const { file, kind, bytes } of filesOf(disk)) {
    for (let at = 0; at < bytes.length; at += 13) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 0x81;
      expect(await damaged(disk, file, flipped), `${file} byte ${at}`).not.toEqual([]);
      const cut = await damaged(disk, file, bytes.slice(0, at));
      if (kind === "table" || kind === "current") expect(cut).not.toEqual([]);
    }
  }
});

async function damaged(disk: MemoryDisk, file: string, bytes: Uint8Array) {
  const copy = disk.clone();
  copy.replace(`${directory}/${file}`, bytes);
  return damageOf(await describeFileOn(copy, `${directory}/${file}`));
}

function entriesOf(described: FileDescription) {
  if ("entries" in described) return described.entries;
  return "records" in described ? described.records.flatMap((r) => r.operations ?? []) : [];
}

function countOf(described: FileDescription): number {
  return entriesOf(described).length;
}
