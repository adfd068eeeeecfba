/**
 * Keys and values on the command line and in lines of text. Both are bytes; most are UTF-8 text.
 * What is not text travels in hex or base64, is never silently changed, and is shown with escapes
 * where a person reads it.
 */
import { isUtf8 } from "node:buffer";
import { CommandError, usage } from "./exit.ts";

export type Encoding = "text" | "hex" | "base64";

/** The bytes as a name in a map: latin-1 keeps them apart. */
export function nameOfBytes(bytes: string | Uint8Array): string {
  return (typeof bytes === "string" ? Buffer.from(bytes, "utf8") : plain(bytes)).toString("latin1");
}

/** What `--hex` and `--base64` say together. */
export function encodingOf(options: {
  readonly hex?: unknown;
  readonly base64?: unknown;
}): Encoding {
  if (options.hex && options.base64) throw usage("--hex and --base64 exclude each other");
  if (options.hex) return "hex";
  return options.base64 ? "base64" : "text";
}

/** `what` names the argument in errors: "key", "value". */
export function decodeArgument(text: string, encoding: Encoding, what: string): Uint8Array {
  if (encoding === "text") return encodeText(text, what);
  const bytes = decode(text, encoding);
  if (bytes !== undefined) return bytes;
  throw usage(`${what} is not ${encoding}: ${quote(text)}`);
}

/** undefined when it is not of that encoding, to the last character. */
export function decode(text: string, encoding: "hex" | "base64"): Uint8Array | undefined {
  if (encoding === "hex") {
    return /^([0-9a-f]{2})*$/i.test(text) ? Buffer.from(text, "hex") : undefined;
  }
  const bytes = Buffer.from(text, "base64");
  const canonical = text.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "");
  return bytes.toString("base64").replace(/=+$/, "") === canonical ? bytes : undefined;
}

/** Text for lines that programs read: the bytes themselves if they are UTF-8, else undefined. */
export function textOf(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? plain(bytes).toString("utf8") : undefined;
}

export function encode(bytes: Uint8Array, encoding: "hex" | "base64"): string {
  return plain(bytes).toString(encoding);
}

/** One line that is safe on a terminal and shows each byte: control and broken ones as escapes. */
export function show(bytes: Uint8Array): string {
  const text = textOf(bytes);
  if (text !== undefined) return text.replace(unprintable, escapeCharacter);
  // Latin-1 gives each byte one character, so each can be escaped on its own.
  return plain(bytes)
    .toString("latin1")
    .replace(/[^ -[\]-~]/g, escapeCharacter);
}

/** A string in a message: quoted, escaped and cut to a length that fits a line. */
export function quote(text: string): string {
  const short = text.length > 64 ? `${text.slice(0, 64)}…` : text;
  // JSON has escaped the backslash and most control characters already.
  return JSON.stringify(short).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapeCharacter);
}

/** Control characters, marks that turn the direction of text, and the backslash itself. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]/gu;

function escapeCharacter(character: string): string {
  if (character === "\\") return "\\\\";
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (character === "\r") return "\\r";
  const code = character.codePointAt(0) ?? 0;
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/**
 * Node has already replaced what was not UTF-8 in an argument by U+FFFD, so that two different
 * arguments may look the same: such a key or value is refused.
 */
function encodeText(text: string, what: string): Uint8Array {
  if (!text.includes("\ufffd")) return Buffer.from(text, "utf8");
  throw new CommandError("KEY_ENCODING", `${what} is not valid UTF-8: ${quote(text)}`, {
    hint: `give the ${what} in hex or base64, with --hex or --base64`,
  });
}

function plain(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
