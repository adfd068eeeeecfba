/**
 * The manifest: a log of what the tree is made of. Its first record is the whole state, each later
 * one an edit; the payloads are JSON, padded with spaces. After the sync of a record a seal is
 * written, whose durableSequence is the offset up to which the manifest is durable: a record that
 * cannot be read is an unfinished tail only if no seal behind it says that it was synced.
 */
import { type Disk, type DiskFile, readFullySync, writeFullySync } from "./disk/disk.ts";
import { type EngineError, ioError, type Place } from "./errors.ts";
import { manifestName, pathIn } from "./files.ts";
import {
  fileHeaderBytes,
  manifestMagic,
  readFileHeader,
  readRecord,
  recordHeaderBytes,
  sealRecord,
  typeEdit,
  typeSeal,
  writeFileHeader,
} from "./log/record.ts";
import { decodeEdit, decodeState, encodeEdit, encodeState } from "./manifest-json.ts";
import { type Edit, tryEdit, type Version } from "./version.ts";
import type { SealedLog } from "./log/replay.ts";

/** Everything the manifest knows. */
export interface ManifestState {
  readonly databaseId: string;
  readonly hashSeed: number;
  readonly version: Version;
  readonly nextFile: number;
  readonly lastSequence: number;
  readonly logNumber: number;
  readonly sealedLogs: readonly SealedLog[];
}

export type ManifestFound =
  | { readonly kind: "ok"; readonly state: ManifestState; readonly tornBytes: number }
  | { readonly kind: "missing" }
  | { readonly kind: "damaged"; readonly place: Place; readonly what: string }
  | { readonly kind: "tooNew"; readonly version: number };

/** A manifest is rolled when it is this long, or five times its first record. */
const rollBytes = 1 << 20;

export class ManifestWriter {
  readonly number: number;
  readonly #file: DiskFile;
  #bytes = 0;
  #snapshotBytes = 0;
  #failure: EngineError | undefined;

  private constructor(number: number, file: DiskFile) {
    this.number = number;
    this.#file = file;
  }

  /** A new manifest that begins with the state; durable, with its name, when it resolves. */
  static async create(options: {
    readonly disk: Disk;
    readonly directory: string;
    readonly number: number;
    readonly state: ManifestState;
  }): Promise<ManifestWriter> {
    const { disk, directory, number, state } = options;
    const path = pathIn(directory, manifestName(number));
    let file: DiskFile;
    try {
      file = disk.openSync(path, "create");
    } catch (cause) {
      throw ioError({ file: manifestName(number) }, "creation", cause);
    }
    const writer = new ManifestWriter(number, file);
    const header = new Uint8Array(fileHeaderBytes);
    writeFileHeader(header, 0, {
      magic: manifestMagic,
      number,
      firstSequence: 0,
      previousNumber: 0,
      previousEnd: 0,
    });
    try {
      writeFullySync(file, header, 0, header.length, 0);
      writer.#bytes = header.length;
      await writer.#write(encodeState(state));
      await disk.syncDirectory(directory);
    } catch (cause) {
      writer.close();
      throw ioError({ file: manifestName(number) }, "creation", cause);
    }
    writer.#snapshotBytes = writer.#bytes;
    return writer;
  }

  /** Why nothing is appended any more, if so. */
  get failure(): EngineError | undefined {
    return this.#failure;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get shouldRoll(): boolean {
    return this.#bytes > Math.max(rollBytes, 5 * this.#snapshotBytes);
  }

  /** Durable when it resolves. One at a time; a failure is final. */
  async append(edit: Edit): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await this.#write(encodeEdit(edit));
    } catch (cause) {
      this.#failure ??= ioError({ file: manifestName(this.number) }, "write", cause);
      throw this.#failure;
    }
  }

  close(): void {
    this.#file.closeSync();
  }

  /** The record, a sync, and the seal that bears witness to the sync. */
  async #write(json: string): Promise<void> {
    const text = Buffer.from(json, "utf8");
    const payloadBytes = Math.ceil(text.length / 8) * 8;
    const bytes = new Uint8Array(recordHeaderBytes + payloadBytes);
    bytes.fill(0x20, recordHeaderBytes);
    bytes.set(text, recordHeaderBytes);
    this.#put(bytes, { type: typeEdit, payloadBytes, durableSequence: this.#bytes });
    await this.#file.sync();
    const seal = new Uint8Array(recordHeaderBytes);
    this.#put(seal, { type: typeSeal, payloadBytes: 0, durableSequence: this.#bytes });
  }

  #put(
    bytes: Uint8Array,
    fields: { type: number; payloadBytes: number; durableSequence: number },
  ): void {
    sealRecord(bytes, 0, this.number, { ...fields, operations: 0 }, this.#bytes);
    writeFullySync(this.#file, bytes, 0, bytes.length, this.#bytes);
    this.#bytes += bytes.length;
  }
}

/** Reads a manifest back. What the disk refuses is thrown; damage is a value. */
export function readManifest(options: {
  readonly disk: Disk;
  readonly directory: string;
  readonly number: number;
}): ManifestFound {
  const { disk, directory, number } = options;
  const file = manifestName(number);
  const path = pathIn(directory, file);
  if (!disk.existsSync(path)) return { kind: "missing" };
  const bytes = readAll(disk, path, file);
  const header = readFileHeader(bytes, bytes.length, { magic: manifestMagic, number });
  if (header.kind === "tooNew") return header;
  if (header.kind === "damaged") {
    return { kind: "damaged", place: { file, offset: 0 }, what: header.what };
  }
  let state: ManifestState | undefined;
  let at = fileHeaderBytes;
  const damaged = (what: string): ManifestFound => ({
    kind: "damaged",
    place: { file, offset: at },
    what,
  });
  for (;;) {
    const record = readRecord(bytes, at, bytes.length, number);
    if (record.kind === "end") break;
    if (record.kind === "unreadable") {
      const witness = witnessBehind(bytes, at, number);
      if (witness !== undefined) {
        return damaged(`${record.what}, and byte ${witness} says that it was durable`);
      }
      break;
    }
    if (record.type === typeEdit) {
      const json = Buffer.from(bytes.buffer, record.payloadAt, record.payloadBytes).toString();
      const next = state === undefined ? decodeState(json) : applied(state, json);
      if (typeof next === "string") return damaged(next);
      state = next;
    } else if (record.type !== typeSeal) {
      return damaged(`record of unknown type ${record.type}`);
    }
    at = record.next;
  }
  if (state === undefined) return damaged("the manifest has no first record");
  return { kind: "ok", state, tornBytes: bytes.length - at };
}

function applied(state: ManifestState, json: string): ManifestState | string {
  const edit = decodeEdit(json);
  if (typeof edit === "string") return edit;
  const edited = tryEdit(state.version, edit);
  if (edited.kind === "refused") return edited.what;
  return {
    ...state,
    version: edited.version,
    nextFile: Math.max(state.nextFile, edit.nextFile ?? 0),
    lastSequence: Math.max(state.lastSequence, edit.lastSequence ?? 0),
    logNumber: Math.max(state.logNumber, edit.logNumber ?? 0),
    sealedLogs: edit.sealedLogs ?? state.sealedLogs,
  };
}

/** Where a readable record claims that more than `from` bytes were durable, if one does. */
function witnessBehind(bytes: Uint8Array, from: number, number: number): number | undefined {
  for (let at = from; at < bytes.length; at += 8) {
    const record = readRecord(bytes, at, bytes.length, number);
    if (record.kind === "record" && record.durableSequence > from) return at;
  }
  return undefined;
}

function readAll(disk: Disk, path: string, file: string): Uint8Array {
  try {
    const handle = disk.openSync(path, "read");
    try {
      const bytes = new Uint8Array(handle.bytesSync());
      return bytes.subarray(0, readFullySync(handle, bytes, 0, bytes.length, 0));
    } finally {
      handle.closeSync();
    }
  } catch (cause) {
    throw ioError({ file }, "read", cause);
  }
}
