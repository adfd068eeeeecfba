/**
 * The manifest and the CURRENT in FORMAT.md are those that the code writes, byte for byte, and
 * reads.
 */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { placeSeed } from "../../native-free-engine/base/hash.ts";
import { readCurrent, switchCurrent } from "../../native-free-engine/current.ts";
import { formatVersion } from "../../native-free-engine/log/record.ts";
import { ManifestWriter, readManifest } from "../../native-free-engine/manifest.ts";
import type { ManifestState } from "../../native-free-engine/manifest-state.ts";
import { applyEdit, type Edit } from "../../native-free-engine/version.ts";
import { directory, newDisk } from "./manifest-fixture.ts";
import { key, paperTable, versionOf } from "./version-fixture.ts";

const number = 12;
const path = "/db/MANIFEST-000012";

const state: ManifestState = {
  databaseId: "00112233445566778899aabbccddeeff",
  hashSeed: 7,
  version: versionOf([], [paperTable(3, "ant", "dog")]),
  nextFile: 13,
  lastSequence: 4096,
  logNumber: 11,
  sealedLogs: [],
};

const edit: Edit = {
  nextFile: 15,
  logNumber: 14,
  lastSequence: 8192,
  added: [{ level: 0, table: paperTable(13, "cat", "emu", { tombstones: 1 }) }],
  removed: [],
};

/** The page that has the section, whether or not the parts are merged already. */
function page(): string {
  const texts = ["FORMAT.md", "FORMAT-manifest.md.part"]
    .map((name) => new URL(`../../native-free-engine/${name}`, import.meta.url))
    .filter((url) => existsSync(url))
    .map((url) => readFileSync(url, "utf8"));
  return texts.find((text) => /^## Manifest$/m.test(text)) ?? "";
}

/**
 * The bytes of all fences with that name, in order. Each hex line begins with its offset; a line
 * with an asterisk repeats the byte before it up to the next offset. JSON is without line breaks.
 */
function bytesInPage(name: string): Uint8Array {
  const bytes: number[] = [];
  let repeats = false;
  for (const [, kind, fence, body = ""] of page().matchAll(/```(hex|json) (\S+)\n([^`]*)\n```/g)) {
    if (fence !== name) continue;
    if (kind === "json") {
      bytes.push(...key(body.replace(/\n\s*/g, "")));
      continue;
    }
    for (const line of body.split("\n")) {
      const [first = "", ...digits] = (line.split(";")[0] ?? "").trim().split(/\s+/);
      if (first === "*") {
        repeats = true;
        continue;
      }
      const offset = Number.parseInt(first, 16);
      while (repeats && bytes.length < offset) bytes.push(bytes.at(-1) ?? 0);
      repeats = false;
      expect(offset, line).toBe(bytes.length);
      bytes.push(...digits.map((digit) => Number.parseInt(digit, 16)));
    }
  }
  return Uint8Array.from(bytes);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

test("the code writes the manifest of the page", async () => {
  const disk = await newDisk();
  const writer = await ManifestWriter.create({ disk, directory, number, state });
  await writer.append(edit);
  await writer.finish();
  expect(hex(bytesInPage("manifest-12"))).toBe(hex(disk.bytesOf(path)));
});

test("the code reads the manifest of the page", async () => {
  const disk = await newDisk();
  disk.replace(path, bytesInPage("manifest-12"));
  const { nextFile = 0, logNumber = 0, lastSequence = 0 } = edit;
  const version = applyEdit(state.version, edit);
  const after = { ...state, version, nextFile, logNumber, lastSequence };
  expect(readManifest({ disk, directory, number })).toEqual({
    kind: "ok",
    state: after,
    tornBytes: 0,
  });
});

test("the code writes and reads the CURRENT of the page", async () => {
  const disk = await newDisk();
  await switchCurrent(disk, directory, number);
  expect(hex(bytesInPage("current"))).toBe(hex(disk.bytesOf("/db/CURRENT")));
  disk.replace("/db/CURRENT", bytesInPage("current"));
  expect(readCurrent(disk, directory)).toEqual({ kind: "ok", number });
});

test("the page is about this version of the format, and its seeds are computed as it says", () => {
  expect(formatVersion).toBe(1);
  const said = (file: number, offset: number) => {
    const high = BigInt(Math.floor(offset / 2 ** 32));
    const mixed = (BigInt(file) * 0x9e3779b1n) ^ (BigInt(offset) * 0x85ebca77n) ^ high;
    return Number(mixed & 0xffffffffn);
  };
  for (const offset of [0, 64, 0x7fffffff, 0x80000000, 2 ** 32 + 8, 2 ** 40]) {
    expect(placeSeed(12, offset)).toBe(said(12, offset));
  }
});
