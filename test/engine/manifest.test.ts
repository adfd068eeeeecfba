/**
 * The manifest: what was acknowledged is there after a crash, an unfinished tail is told from
 * damage, and nothing read from the disk is believed unchecked.
 */
import { describe, expect, test } from "vitest";
import { readCurrent, switchCurrent } from "../../native-free-engine/current.ts";
import { DiskCrashed, type MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { readManifest } from "../../native-free-engine/manifest.ts";
import { encodeState } from "../../native-free-engine/manifest-json.ts";
import { randomFrom, seed } from "../support/random.ts";
import {
  create,
  directory,
  editOf,
  firstState,
  manifestOf,
  newDisk,
  number,
  path,
  read,
  stateAfter,
} from "./manifest-fixture.ts";

const edits = 4;

/** A manifest with edits; `finished` says whether it was closed in good order. */
async function written(finished: boolean): Promise<MemoryDisk> {
  const disk = await newDisk();
  const writer = await create(disk);
  for (let k = 1; k <= edits; k++) await writer.append(editOf(k));
  if (finished) await writer.finish();
  else writer.close();
  return disk;
}

describe("writing", () => {
  test("what was written is read back", async () => {
    const disk = await newDisk();
    const writer = await create(disk);
    for (let k = 0; k <= edits; k++) {
      if (k > 0) await writer.append(editOf(k));
      expect(read(disk)).toEqual({ kind: "ok", state: stateAfter(k), tornBytes: 0 });
    }
    await writer.append({ added: [], removed: [], sealedLogs: [{ number: 9, end: 4096 }] });
    const sealedLogs = [{ number: 9, end: 4096 }];
    expect(read(disk)).toMatchObject({ state: { ...stateAfter(edits), sealedLogs } });
    expect(disk.bytesOf(path)).toHaveLength(writer.bytes);
  });

  test("appends that were not waited for stand in their order", async () => {
    const disk = await newDisk();
    const writer = await create(disk);
    await Promise.all([1, 2, 3].map((k) => writer.append(editOf(k))));
    expect(read(disk)).toMatchObject({ state: stateAfter(3), tornBytes: 0 });
  });

  test("short writes are gone on with", async () => {
    const disk = await newDisk();
    const writer = await create(disk);
    disk.failAt(disk.operations + 1, "short");
    await writer.append(editOf(1));
    expect(read(disk)).toMatchObject({ state: stateAfter(1) });
  });

  test("a failed write or sync is final, and keeps its first cause", async () => {
    for (const operation of [1, 2, 3]) {
      const disk = await newDisk();
      const writer = await create(disk);
      disk.failAt(disk.operations + operation, "EIO");
      const first = await writer.append(editOf(1)).catch((error: unknown) => error);
      expect(first).toMatchObject({ code: "IO", cause: { code: "EIO" } });
      const before = disk.operations;
      await expect(writer.append(editOf(2))).rejects.toBe(first);
      await expect(writer.finish()).rejects.toBe(first);
      expect(writer.failure).toBe(first);
      expect(disk.operations, "nothing more is tried").toBe(before);
      expect([0, 1]).toContain(editsIn(disk));
    }
  });

  test("it has outgrown itself when it is long for what it says", async () => {
    const writer = await create(await newDisk());
    expect(writer.outgrows(1)).toBe(false);
    for (let k = 1; !writer.outgrows(1); k++) await writer.append(editOf(k));
    expect(writer.bytes).toBeGreaterThan(5 * 512);
    expect(writer.outgrows(1 << 20)).toBe(false);
  });
});

describe("a crash", () => {
  test("at any operation loses no acknowledged edit, and is never taken for damage", async () => {
    const random = randomFrom(seed);
    let states = 0;
    for (let operation = 1; ; operation++) {
      const disk = await newDisk();
      const progress = { issued: -1, acknowledged: -1 };
      disk.failAt(disk.operations + operation, "crash", { torn: random() });
      const crashed = await script(disk, progress);
      for (const survival of [0, 1, ...Array.from({ length: 20 }, () => 0.5)]) {
        const left = disk.crash({ survival, random });
        const context = `seed ${seed}, ${disk.journal.at(-1)}, survival ${survival}`;
        const current = readCurrent(left, directory);
        if (current.kind === "missing") {
          expect(progress.acknowledged, context).toBe(-1);
          continue;
        }
        expect(current, context).toEqual({ kind: "ok", number });
        const kept = editsIn(left, context);
        expect(kept, context).toBeGreaterThanOrEqual(progress.acknowledged);
        expect(kept, context).toBeLessThanOrEqual(Math.max(0, progress.issued));
        states += 1;
      }
      if (!crashed) break;
    }
    expect(states).toBeGreaterThan(300);
  });

  test("that took the last seal and left the next edit keeps that edit", async () => {
    const disk = await written(false);
    const bytes = disk.bytesOf(path);
    const before = bytes.length - 24 - 512;
    bytes.fill(0, before, before + 10);
    const withoutLastSeal = bytes.subarray(0, bytes.length - 24);
    disk.replace(path, withoutLastSeal);
    expect(editsIn(disk)).toBe(edits);
    // Torn as well, the edit was never acknowledged: the one before it is the last.
    disk.replace(path, withoutLastSeal.subarray(0, withoutLastSeal.length - 8));
    expect(editsIn(disk)).toBe(edits - 1);
  });

  test("that left zeros behind the end lost nothing", async () => {
    const disk = await written(true);
    disk.replace(path, Buffer.concat([disk.bytesOf(path), new Uint8Array(4096)]));
    expect(read(disk)).toEqual({ kind: "ok", state: stateAfter(edits), tornBytes: 0 });
  });

  /** True when it was cut short. */
  async function script(
    disk: MemoryDisk,
    progress: { issued: number; acknowledged: number },
  ): Promise<boolean> {
    try {
      const writer = await create(disk);
      progress.issued = 0;
      await switchCurrent(disk, directory, number);
      progress.acknowledged = 0;
      for (let k = 1; k <= edits; k++) {
        progress.issued = k;
        await writer.append(editOf(k));
        progress.acknowledged = k;
      }
      await writer.finish();
      return false;
    } catch (error) {
      expect((error as Error).cause).toBeInstanceOf(DiskCrashed);
      return true;
    }
  }
});

describe("damage", () => {
  const last = stateAfter(edits);

  /** Damaged bytes are told, or change nothing. */
  function expectNoLie(disk: MemoryDisk, bytes: Uint8Array, context: string): boolean {
    disk.replace(path, bytes);
    const found = read(disk);
    if (found.kind === "damaged") {
      expect(found.place.file, context).toBe("MANIFEST-000012");
      expect(found.place.offset, context).toBeLessThanOrEqual(bytes.length);
      return true;
    }
    expect(found.kind === "ok" && found.state, context).toEqual(last);
    return false;
  }

  test("of any byte is told, also in the last edit", async () => {
    const disk = await written(true);
    const whole = disk.bytesOf(path);
    const lastSeal = whole.length - 24;
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = whole.slice();
        bytes[at]! ^= flip;
        expect(expectNoLie(disk, bytes, `byte ${at} ^ ${flip}`)).toBe(at < lastSeal);
      }
    }
  });

  test("of any sector is told: lost, filled, or from another place", async () => {
    const disk = await written(true);
    const whole = disk.bytesOf(path);
    for (let at = 0; at < whole.length; at += 512) {
      const end = Math.min(at + 512, whole.length);
      const fill = (value: number) => whole.slice().fill(value, at, end);
      const lastSealOnly = at >= whole.length - 24;
      expect(expectNoLie(disk, fill(0), `zeros at ${at}`)).toBe(!lastSealOnly);
      expect(expectNoLie(disk, fill(0xff), `ones at ${at}`)).toBe(!lastSealOnly);
      const misplaced = whole.slice();
      const from = (at + 1024) % (whole.length - 512);
      misplaced.copyWithin(at, from, from + end - at);
      expectNoLie(disk, misplaced, `misplaced at ${at}`);
    }
  });

  test("by a cut leaves a state that once was, or is told", async () => {
    const disk = await written(true);
    const whole = disk.bytesOf(path);
    const states = Array.from({ length: edits + 1 }, (_, k) => stateAfter(k));
    let prefixes = 0;
    for (let length = 0; length < whole.length; length++) {
      disk.replace(path, whole.slice(0, length));
      const found = read(disk);
      expect(["ok", "damaged"]).toContain(found.kind);
      if (found.kind === "ok") {
        expect(found.state).toEqual(states[found.state.lastSequence - firstState.lastSequence]);
        prefixes += 1;
      } else {
        expect(length, "the first edit is always needed").toBeLessThan(512);
      }
    }
    expect(prefixes).toBe(whole.length - 512);
  });

  test("by another manifest under this name is told", async () => {
    const disk = await written(true);
    disk.replace("/db/MANIFEST-000013", disk.bytesOf(path));
    const found = readManifest({ disk, directory, number: 13 });
    expect(found).toMatchObject({ kind: "damaged", place: { file: "MANIFEST-000013", offset: 0 } });
  });

  test("by a missing file is told apart", async () => {
    expect(read(await newDisk())).toEqual({ kind: "missing" });
  });
});

describe("a payload behind a right checksum", () => {
  const good = JSON.parse(encodeState(firstState)) as Record<string, unknown>;
  const [table] = good["added"] as Record<string, unknown>[];

  async function found(...payloads: unknown[]) {
    const disk = await newDisk();
    const texts = payloads.map((p) => (typeof p === "string" ? p : JSON.stringify(p)));
    disk.replace(path, manifestOf(texts));
    return read(disk);
  }

  test("is read if it is right, whatever else it says", async () => {
    const state = { ...good, colour: "red", must: ["added", "nextFile"] };
    expect(await found(state)).toMatchObject({ kind: "ok", state: firstState });
    expect(await found(good, { added: [] })).toMatchObject({ kind: "ok", state: firstState });
  });

  test("that asks for what this reader does not know is too new", async () => {
    expect(await found({ ...good, must: ["colour"] })).toEqual({
      kind: "tooNew",
      what: "needs a reader that knows colour",
    });
    expect(await found(good, { added: [], must: ["x", "y"] })).toMatchObject({ kind: "tooNew" });
  });

  const wrong: [string, unknown][] = [
    ["the comparator", { ...good, comparator: "reverse" }],
    ["databaseId", { ...good, databaseId: "00" }],
    ["hashSeed", { ...good, hashSeed: 2 ** 32 }],
    ["hashSeed", { ...good, hashSeed: -1 }],
    ["nextFile is no count", { ...good, nextFile: 1.5 }],
    ["lastSequence is no count", { ...good, lastSequence: 2 ** 53 }],
    ["logNumber is missing", { ...good, logNumber: undefined }],
    ["must: not a list", { ...good, must: "colour" }],
    ["not JSON", '{"added":['],
    ["not a JSON object", "[]"],
    ["not a JSON object", "7"],
    ["not a JSON object", "null"],
    ["added: not a list", { ...good, added: {} }],
    ["added: not a list of objects", { ...good, added: [null] }],
    ["removed: not a list", { ...good, removed: 1 }],
    ["removed: level or number", { ...good, removed: [null] }],
    ["sealedLogs: number or end", { ...good, sealedLogs: [{ number: 1, end: "2" }] }],
    ["level is out of range", withTable({ level: 7 })],
    ["level is out of range", withTable({ level: "1" })],
    ["bytes is no count", withTable({ bytes: null })],
    ["its number is 0", withTable({ number: 0 })],
    ["more tombstones", withTable({ tombstones: 11 })],
    ["its sequences end", withTable({ minSequence: 99 })],
    ["its keys end", withTable({ smallest: "eno=" })],
    ["a key is missing", withTable({ largest: undefined })],
    ["no base64", withTable({ smallest: "YQ" })],
    ["no base64", withTable({ smallest: "Y*Q=" })],
    ["no base64", withTable({ largest: Buffer.alloc(65_537, 0x7a).toString("base64") })],
    ["adds table 3", { ...good, added: [table, table] }],
    ["overlap at level 1", { ...good, added: [table, { ...table, number: 4 }] }],
  ];

  function withTable(fields: Record<string, unknown>): Record<string, unknown> {
    return { ...good, added: [{ ...table, ...fields }] };
  }

  test.each(wrong)("is refused: %s", async (what, payload) => {
    const first = await found(payload);
    expect(first).toMatchObject({ kind: "damaged", place: { offset: 64 } });
    expect(first.kind === "damaged" && first.what).toContain(what);
  });

  test("must fit the version before it", async () => {
    const removed = [{ level: 0, number: 77 }];
    const result = await found(good, { added: [], removed });
    expect(result).toMatchObject({ kind: "damaged", what: expect.stringContaining("table 77") });
    expect(await found(good, { added: [table] })).toMatchObject({ kind: "damaged" });
  });
});

/** How many edits the manifest holds; fails unless it reads as a whole. */
function editsIn(disk: MemoryDisk, context = ""): number {
  const found = read(disk);
  if (found.kind !== "ok") throw new Error(`${context}: ${JSON.stringify(found)}`);
  const count = found.state.lastSequence - firstState.lastSequence;
  expect(found.state, context).toEqual(stateAfter(count));
  return count;
}
