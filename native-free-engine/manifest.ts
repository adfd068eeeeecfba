/**
 * The manifest: a log of what the tree is made of. Behind the header come edits, each followed by
 * its seal. The first edit is the whole state; the payloads are JSON, padded with spaces. An edit
 * is synced before its seal is written, so a seal proves that the edit before it was durable: an
 * edit that cannot be read is an unfinished tail only if nothing behind it says otherwise. For one
 * bad sector not to take both, a seal begins the sector behind its edit's last. A seal is durable
 * with the next edit, or when the manifest is finished.
 */
import { unreachable } from "./base/assert.ts";
import { readU32 } from "./base/bytes.ts";
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
import {
  decodeEdit,
  decodeState,
  encodeEdit,
  encodeState,
  type PayloadFields,
  parsePayload,
} from "./manifest-json.ts";
import type { ManifestState } from "./manifest-state.ts";
import { type Edit, tryEdit } from "./version.ts";

export type ManifestFound =
  | { readonly kind: "ok"; readonly state: ManifestState; readonly tornBytes: number }
  | { readonly kind: "missing" }
  | { readonly kind: "damaged"; readonly place: Place; readonly what: string }
  | { readonly kind: "tooNew"; readonly what: string };

/** What a disk loses at least when it loses anything. */
const sectorBytes = 512;
const openingBrace = 0x7b;

export class ManifestWriter {
  readonly number: number;
  readonly #file: DiskFile;
  #bytes = 0;
  /** Everything in front of this is durable. */
  #durable = 0;
  #snapshotBytes = 0;
  #failure: EngineError | undefined;
  /** Appends and the finish go one after the other: a seal speaks for all that is before it. */
  #last: Promise<void> = Promise.resolve();

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

  /** Whether it is longer than that, and than five times its first record. */
  outgrows(bytes: number): boolean {
    return this.#bytes > Math.max(bytes, 5 * this.#snapshotBytes);
  }

  /** Durable when it resolves. A failure is final: later appends reject with the same error. */
  append(edit: Edit): Promise<void> {
    return this.#inTurn("write", () => this.#write(encodeEdit(edit)));
  }

  /** Makes the last seal durable too, and closes the file: the end of a clean shutdown. */
  async finish(): Promise<void> {
    try {
      await this.#inTurn("sync", () => this.#file.sync());
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#file.closeSync();
  }

  #inTurn(what: string, action: () => Promise<void>): Promise<void> {
    const done = this.#last.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        await action();
      } catch (cause) {
        this.#failure = ioError({ file: manifestName(this.number) }, what, cause);
        throw this.#failure;
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** The edit, a sync, and the seal that bears witness to the sync. */
  async #write(json: string): Promise<void> {
    const text = Buffer.from(json, "utf8");
    const textEnd = this.#bytes + recordHeaderBytes + text.length;
    const end = Math.ceil(textEnd / sectorBytes) * sectorBytes;
    const bytes = new Uint8Array(end - this.#bytes).fill(0x20);
    bytes.set(text, recordHeaderBytes);
    this.#put(bytes, typeEdit);
    await this.#file.sync();
    this.#durable = end;
    this.#put(new Uint8Array(recordHeaderBytes), typeSeal);
  }

  #put(bytes: Uint8Array, type: number): void {
    sealRecord(
      bytes,
      0,
      this.number,
      {
        type,
        payloadBytes: bytes.length - recordHeaderBytes,
        operations: 0,
        durableSequence: this.#durable,
      },
      this.#bytes,
    );
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
  switch (header.kind) {
    case "tooNew":
      return { kind: "tooNew", what: `has format version ${header.version}` };
    case "damaged":
      return { kind: "damaged", place: { file, offset: 0 }, what: header.what };
    case "header":
      break;
    default:
      return unreachable(header);
  }
  const found = readEdits(bytes, number);
  if (found.kind !== "damaged") return found;
  return { kind: "damaged", place: { file, offset: found.offset }, what: found.what };
}

type EditsFound =
  | Exclude<ManifestFound, { readonly kind: "missing" | "damaged" }>
  | { readonly kind: "damaged"; readonly offset: number; readonly what: string };

/**
 * Applies one edit after the other. CURRENT names a manifest only once its first edit is durable,
 * so without that one there is nothing to fall back to.
 */
function readEdits(bytes: Uint8Array, number: number): EditsFound {
  let state: ManifestState | undefined;
  let at = fileHeaderBytes;
  let durable = 0;
  for (;;) {
    const edit = readRecord(bytes, at, bytes.length, number);
    if (edit.kind !== "record") {
      const what = edit.kind === "end" ? "no record where an edit should be" : edit.what;
      const witness = witnessBehind(bytes, at, number);
      if (witness !== undefined) return wasDurable(at, what, witness);
      if (state === undefined) return { kind: "damaged", offset: at, what };
      return { kind: "ok", state, tornBytes: tailBytes(bytes, at) };
    }
    if (edit.type !== typeEdit || edit.durableSequence !== durable) {
      return { kind: "damaged", offset: at, what: "a record that does not belong here" };
    }
    const payload = parsePayload(textOf(bytes, edit.payloadAt, edit.payloadBytes));
    if (payload.kind === "tooNew") return payload;
    if (payload.kind === "damaged") return { ...payload, offset: at };
    const next = state === undefined ? decodeState(payload.fields) : applied(state, payload.fields);
    if (typeof next === "string") return { kind: "damaged", offset: at, what: next };
    state = next;
    durable = edit.next;
    const seal = readRecord(bytes, durable, bytes.length, number);
    if (seal.kind === "record") {
      if (seal.type !== typeSeal || seal.durableSequence !== durable) {
        return { kind: "damaged", offset: durable, what: "a record that does not belong here" };
      }
    } else {
      const what = seal.kind === "end" ? "no record where a seal should be" : seal.what;
      const witness = witnessBehind(bytes, durable, number);
      if (witness !== undefined) return wasDurable(durable, what, witness);
    }
    // A power cut may take the last seal and yet leave the next edit, which then counts.
    at = durable + recordHeaderBytes;
  }
}

function wasDurable(offset: number, what: string, witness: number): EditsFound {
  const proof = `the record at byte ${witness} says that this was durable`;
  return { kind: "damaged", offset, what: `${what}, and ${proof}` };
}

function applied(state: ManifestState, fields: PayloadFields): ManifestState | string {
  const edit = decodeEdit(fields);
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
  for (let at = from; at + recordHeaderBytes <= bytes.length; at += 8) {
    // Cheap tests first: a checksum at every step could cost the square of the file's length.
    const type = bytes[at + 8];
    if (type === typeSeal ? readU32(bytes, at + 4) !== 0 : type !== typeEdit) continue;
    if (type === typeEdit && bytes[at + recordHeaderBytes] !== openingBrace) continue;
    const record = readRecord(bytes, at, bytes.length, number);
    if (record.kind === "record" && record.durableSequence > from) return at;
  }
  return undefined;
}

/** How many bytes an unfinished write left; zeros are space that was never written. */
function tailBytes(bytes: Uint8Array, at: number): number {
  for (let i = at; i < bytes.length; i++) if (bytes[i] !== 0) return bytes.length - at;
  return 0;
}

function textOf(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("utf8");
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
