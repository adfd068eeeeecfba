/**
 * The three forms in which abstract-level hands keys and values over and wants them back: `utf8`
 * strings, `buffer` Buffers, `view` Uint8Arrays. Every other encoding is made of these above us.
 */
import type { BytesInput } from "../api.ts";

export type FormatName = "utf8" | "buffer" | "view";
export type Shown = string | Buffer | Uint8Array;
export type Show = (bytes: Uint8Array) => Shown;
export type ShowFound = (bytes: Uint8Array | undefined) => Shown | undefined;

/** In every Node since 20, in TypeScript's library only since es2024. */
type Text = string & { isWellFormed(): boolean };

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * For the engine, which refuses strings without a UTF-8 form. Users of Level expect a lone
 * surrogate to become U+FFFD instead. Asking takes 8 ns for ASCII.
 */
export function bytesOf(given: Shown): BytesInput {
  if (typeof given === "string") {
    return (given as Text).isWellFormed() ? given : Buffer.from(given);
  }
  return given instanceof Uint8Array ? given : bytesOfView(given);
}

/** The same, of one's own: the caller may reuse a buffer before the bytes are needed. */
export function copyOf(given: Shown): BytesInput {
  const bytes = bytesOf(given);
  return typeof bytes === "string" ? bytes : Buffer.from(bytes);
}

/** From a point read, whose bytes belong to whoever gets them; absent stays absent. */
export function showFound(format: FormatName): ShowFound {
  switch (format) {
    case "utf8":
      return foundText;
    case "buffer":
      return foundBuffer;
    case "view":
      return foundBytes;
  }
}

/**
 * From bytes of a scan, which are views of what it read ahead: one value kept would keep 128 KiB,
 * and one written into would come back changed when the iterator seeks to it again.
 */
export function showShared(format: FormatName): Show {
  switch (format) {
    case "utf8":
      return textOf;
    case "buffer":
      return bufferOf;
    case "view":
      return copyOfBytes;
  }
}

/** The `view` encoding lets every kind of view pass, and realms have a Uint8Array each. */
function bytesOfView(view: ArrayBufferView): Uint8Array {
  if (!ArrayBuffer.isView(view)) return view;
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}

function copyOfBytes(bytes: Uint8Array): Uint8Array {
  return bytes.slice();
}

function foundText(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : decoder.decode(bytes);
}

function foundBuffer(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes === undefined
    ? undefined
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function foundBytes(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes;
}
