/**
 * Entries as lines of text, both ways: what `export` writes, `import` reads back to the same
 * bytes. NDJSON has one object a line, {"key":"…","value":"…"}; keys or values that are not UTF-8
 * stand in "keyBase64" and "valueBase64" instead. TSV has key TAB value, without any escapes.
 */
import type { BatchOperation } from "../native-free-engine/index.ts";
import { decode, type Encoding, encode, quote, show, textOf } from "./bytes.ts";
import { CommandError } from "./exit.ts";
import { sourceOfMember } from "./json-member.ts";

export type Format = "ndjson" | "tsv";

export interface LineForm {
  readonly format: Format;
  readonly encoding: Encoding;
}

export interface Limits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
}

/** Why a line is no entry. */
export interface Problem {
  readonly problem: string;
}

/** What a good line says. */
export type EntryLine = Extract<BatchOperation, { type: "put" }>;
type Parse = (line: string) => EntryLine | Problem | undefined;

/** A parser of lines of that form; it gives undefined for a blank line. */
export function lineParser(form: LineForm, limits: Limits): Parse {
  const { encoding } = form;
  const fields = form.format === "tsv" ? fieldsOfTsv : fieldsOfJson;
  // A character of a string takes at most three bytes.
  const shortKey = Math.floor(limits.keyBytesMax / 3);
  const shortValue = Math.floor(limits.valueBytesMax / 3);
  const parse: Parse = (line) => {
    const found = fields(line);
    if (found === undefined || "problem" in found) return found;
    const key = bytesOf("key", found.key, found.keyBase64, encoding);
    if (isProblem(key)) return key;
    const value = bytesOf("value", found.value, found.valueBase64, encoding);
    if (isProblem(value)) return value;
    return (
      unfit("key", key, limits.keyBytesMax) ??
      unfit("value", value, limits.valueBytesMax) ?? { type: "put", key, value }
    );
  };
  if (form.format === "tsv" || encoding !== "text") return parse;
  return (line) => {
    const plain = plainLine.exec(line);
    if (plain === null) return parse(line);
    const key = plain[1]!;
    const value = plain[2]!;
    return key.length <= shortKey && value.length <= shortValue
      ? { type: "put", key, value }
      : parse(line);
  };
}

/**
 * Most lines there are: two strings without escapes, as every writer of JSON spaces them. What
 * matches would mean the same to JSON.parse, which takes three times as long.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has none inside a string.
const plainLine = /^\{"key": ?"([^"\\\x00-\x1f]*)", ?"value": ?"([^"\\\x00-\x1f]*)"\}\r?$/;

/** The line of an entry, with its line feed. `value` is undefined where only keys are wanted. */
export function formatEntry(
  key: Uint8Array,
  value: Uint8Array | undefined,
  { format, encoding }: LineForm,
): string {
  if (format === "tsv") return formatTsv(key, value, encoding);
  const second = value === undefined ? "" : `,${member("value", value, encoding)}`;
  return `{${member("key", key, encoding)}${second}}\n`;
}

/** As one JSON object, for `--json` on one entry. */
export function entryObject(
  key: Uint8Array,
  value: Uint8Array | undefined,
  encoding: Encoding,
): unknown {
  return JSON.parse(formatEntry(key, value, { format: "ndjson", encoding }));
}

interface Fields {
  readonly key?: string | undefined;
  readonly value?: string | undefined;
  readonly keyBase64?: string | undefined;
  readonly valueBase64?: string | undefined;
}

function fieldsOfTsv(line: string): Fields | Problem | undefined {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (text === "") return undefined;
  const tab = text.indexOf("\t");
  if (tab === -1) return { problem: `no TAB between key and value in ${quote(text)}` };
  return { key: text.slice(0, tab), value: text.slice(tab + 1) };
}

function fieldsOfJson(line: string): Fields | Problem | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    if (line.trim() === "") return undefined;
    return { problem: `not JSON: ${error instanceof Error ? error.message : error}` };
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return { problem: `not a JSON object: ${quote(line)}` };
  }
  const { key, value, keyBase64, valueBase64 } = parsed as Record<string, unknown>;
  for (const [name, field] of [
    ["key", key],
    ["keyBase64", keyBase64],
    ["valueBase64", valueBase64],
  ] as const) {
    if (field !== undefined && typeof field !== "string") {
      // As it stands in the line: printing it anew takes more stack than a line may be deep.
      const found = sourceOfMember(line, name) ?? "";
      return { problem: `"${name}" is not a string but ${quote(found)}` };
    }
  }
  const fields = { key, keyBase64, valueBase64 } as Fields;
  if (value === undefined || typeof value === "string") return { ...fields, value };
  return { ...fields, value: sourceOfMember(line, "value") };
}

/** A string, or bytes where they were encoded. */
function bytesOf(
  name: "key" | "value",
  text: string | undefined,
  base64: string | undefined,
  encoding: Encoding,
): string | Uint8Array | Problem {
  if (base64 !== undefined) {
    if (text !== undefined) return { problem: `both "${name}" and "${name}Base64"` };
    return decode(base64, "base64") ?? { problem: `"${name}Base64" is not base64` };
  }
  if (text === undefined) return { problem: `no "${name}"` };
  if (encoding === "text") return text;
  return decode(text, encoding) ?? { problem: `${name} is not ${encoding}: ${quote(text)}` };
}

function isProblem(value: string | Uint8Array | Problem): value is Problem {
  return typeof value === "object" && "problem" in value;
}

function unfit(name: string, value: string | Uint8Array, max: number): Problem | undefined {
  const bytes = typeof value === "string" ? Buffer.byteLength(value, "utf8") : value.length;
  if (bytes > max) return { problem: `${name} is ${bytes} bytes, limit ${max}` };
  if (typeof value !== "string" || !/[\ud800-\udfff]/.test(value)) return undefined;
  // Only an escape can bring in half a pair: it becomes something else on its way to UTF-8.
  if (Buffer.from(value, "utf8").toString("utf8") === value) return undefined;
  return { problem: `${name} holds half of a surrogate pair, which has no UTF-8 form` };
}

function formatTsv(key: Uint8Array, value: Uint8Array | undefined, encoding: Encoding): string {
  const first = field("key", key, encoding);
  const second = value === undefined ? "" : `\t${field("value", value, encoding)}`;
  return `${first}${second}\n`;
}

/** TSV has no escapes, so what would not come back as the same bytes is refused. */
function field(name: "key" | "value", bytes: Uint8Array, encoding: Encoding): string {
  if (encoding !== "text") return encode(bytes, encoding);
  const text = textOf(bytes);
  const spoils = name === "key" ? /[\t\n]|^\ufeff/ : /\n|\r$/;
  if (text !== undefined && !spoils.test(text)) return text;
  const shown = show(bytes.subarray(0, 64));
  throw new CommandError("NOT_TEXT", `the ${name} "${shown}" does not fit in a line of TSV`, {
    hint: "use --format ndjson, --hex or --base64",
  });
}

function member(name: "key" | "value", bytes: Uint8Array, encoding: Encoding): string {
  if (encoding !== "text") return `"${name}":"${encode(bytes, encoding)}"`;
  const text = textOf(bytes);
  if (text !== undefined) return `"${name}":${JSON.stringify(text)}`;
  return `"${name}Base64":"${encode(bytes, "base64")}"`;
}
