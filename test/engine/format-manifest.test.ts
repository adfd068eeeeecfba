/**
 * The manifest and the CURRENT in FORMAT.md are those that the code writes, byte for byte, and
 * reads.
 */
import { expect, test } from "vitest";
import { placeSeed } from "../../native-free-engine/base/hash.ts";
import { readCurrent, switchCurrent } from "../../native-free-engine/current.ts";
import { formatVersion } from "../../native-free-engine/log/record.ts";
import { ManifestWriter, readManifest } from "../../native-free-engine/manifest.ts";
import type { ManifestState } from "../../native-free-engine/manifest-state.ts";
import { applyEdit, type Edit } from "../../native-free-engine/version.ts";
import { bytesInPage, hex } from "../support/format-page.ts";
import { directory, newDisk } from "./manifest-fixture.ts";
import { paperTable, versionOf } from "./version-fixture.ts";

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
