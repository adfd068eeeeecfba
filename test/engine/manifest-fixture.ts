/**
 * Manifests for tests: a state, edits that can be told apart, and files made by hand.
 */
import { loadHash } from "../../native-free-engine/base/hash.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import {
  fileHeaderBytes,
  manifestMagic,
  recordHeaderBytes,
  sealRecord,
  typeEdit,
  typeSeal,
  writeFileHeader,
} from "../../native-free-engine/log/record.ts";
import { ManifestWriter, readManifest } from "../../native-free-engine/manifest.ts";
import type { ManifestState } from "../../native-free-engine/manifest-state.ts";
import { applyEdit, type Edit } from "../../native-free-engine/version.ts";
import { paperTable, versionOf } from "./version-fixture.ts";

export const directory = "/db";
export const number = 12;
export const path = "/db/MANIFEST-000012";

export const firstState: ManifestState = {
  databaseId: "00112233445566778899aabbccddeeff",
  hashSeed: 7,
  version: versionOf([], [paperTable(3, "a", "m")]),
  nextFile: 13,
  lastSequence: 100,
  logNumber: 5,
  sealedLogs: [],
};

/** Edit k adds a table, moves the one before it down, and raises every number by one. */
export function editOf(k: number): Edit {
  const added = [{ level: 0, table: paperTable(100 + k, "c", "x") }];
  const removed = k > 1 ? [{ level: 0, number: 99 + k }] : [];
  return { added, removed, nextFile: 13 + k, lastSequence: 100 + k, logNumber: 5 + k };
}

export function stateAfter(edits: number): ManifestState {
  let state = firstState;
  for (let k = 1; k <= edits; k++) {
    const { lastSequence = 0, logNumber = 0, nextFile = 0, ...edit } = editOf(k);
    const version = applyEdit(state.version, edit);
    state = { ...state, version, lastSequence, logNumber, nextFile };
  }
  return state;
}

export async function newDisk(): Promise<MemoryDisk> {
  await loadHash();
  const disk = new MemoryDisk({ journal: true });
  disk.makeDirectorySync(directory);
  return disk;
}

export function create(disk: MemoryDisk): Promise<ManifestWriter> {
  return ManifestWriter.create({ disk, directory, number, state: firstState });
}

export function read(disk: MemoryDisk) {
  return readManifest({ disk, directory, number });
}

/** A manifest's bytes with these payloads, each sealed: what a stranger's writer might leave. */
export function manifestOf(payloads: readonly string[]): Uint8Array {
  const file: number[] = [];
  const header = new Uint8Array(fileHeaderBytes);
  const fields = { firstSequence: 0, previousNumber: 0, previousEnd: 0 };
  writeFileHeader(header, 0, { magic: manifestMagic, number, ...fields });
  file.push(...header);
  let durableSequence = 0;
  for (const payload of payloads) {
    const text = Buffer.from(payload.padEnd(Math.ceil(payload.length / 8) * 8));
    const edit = new Uint8Array(recordHeaderBytes + text.length);
    edit.set(text, recordHeaderBytes);
    const counts = { payloadBytes: text.length, operations: 0, durableSequence };
    sealRecord(edit, 0, number, { type: typeEdit, ...counts }, file.length);
    file.push(...edit);
    durableSequence = file.length;
    const seal = new Uint8Array(recordHeaderBytes);
    const none = { payloadBytes: 0, operations: 0, durableSequence };
    sealRecord(seal, 0, number, { type: typeSeal, ...none }, file.length);
    file.push(...seal);
  }
  return Uint8Array.from(file);
}
