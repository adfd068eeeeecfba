/** What became of a client's wish. */
import { assert, unreachable } from "../../../native-free-engine/base/assert.ts";
import type { Actor, Millis } from "../ids.ts";
import type { Failed, Result } from "../message.ts";
import { readKey, writeKey } from "./key.ts";
import type { Reader } from "./reader.ts";
import { readContext, readEntries, writeContext, writeEntries } from "./versions.ts";
import type { Writer } from "./writer.ts";

type Of<K extends Result["kind"]> = Extract<Result, { readonly kind: K }>;

const results = { found: 1, stored: 2, page: 3, answer: 4, failed: 5 } as const;
const applieds: readonly Failed["applied"][] = ["no", "maybe", "yes"];

const isTraced = 1;
const isDegraded = 2;
/** A length, a time and an actor. */
const foundBytesMin = 10;

export function writeResult(writer: Writer, result: Result): void {
  writer.u8(results[result.kind]);
  switch (result.kind) {
    case "found":
      writeFound(writer, result);
      break;
    case "stored":
      writer.u8(result.trace === undefined ? 0 : isTraced);
      writeContext(writer, result.context);
      writer.varint(result.fastest);
      writer.varint(result.acks);
      if (result.trace !== undefined) writer.text(result.trace);
      break;
    case "page":
      writer.u8(result.next === undefined ? 0 : 1);
      writeEntries(writer, result.entries);
      if (result.next !== undefined) writeKey(writer, result.next);
      break;
    case "answer":
      writer.text(result.json);
      break;
    case "failed":
      writer.u8(applieds.indexOf(result.applied));
      writer.text(result.code);
      writer.text(result.message);
      writer.millis(result.retryAfterMs);
      break;
    default:
      unreachable(result);
  }
}

export function readResult(reader: Reader): Result {
  const code = reader.u8();
  switch (code) {
    case results.found:
      return readFound(reader);
    case results.stored: {
      const flags = reader.below(2, "kind of write");
      const context = readContext(reader);
      const fastest = reader.varint();
      const acks = reader.varint();
      const trace = (flags & isTraced) === 0 ? undefined : reader.text();
      return { kind: "stored", context, fastest, acks, trace };
    }
    case results.page: {
      const hasNext = reader.below(2, "end of a page") === 1;
      const entries = readEntries(reader);
      return { kind: "page", entries, next: hasNext ? readKey(reader) : undefined };
    }
    case results.answer:
      return { kind: "answer", json: reader.text() };
    case results.failed: {
      const applied = applieds[reader.below(applieds.length, "answer to whether it was applied")]!;
      const failure = { code: reader.text(), message: reader.text() };
      return { kind: "failed", ...failure, applied, retryAfterMs: reader.varint() };
    }
    default:
      return reader.fail(`${code} is no result`);
  }
}

function writeFound(writer: Writer, result: Of<"found">): void {
  const { values, written, trace } = result;
  assert(values.length === written.length, "each value says when it was written");
  writer.u8((trace === undefined ? 0 : isTraced) | (result.degraded ? isDegraded : 0));
  writeContext(writer, result.context);
  writer.varint(result.fastest);
  writer.count(values.length);
  for (let i = 0; i < values.length; i++) {
    writer.varint(written[i]!.time);
    writer.hex(written[i]!.actor, 8);
    writer.block(values[i]!);
  }
  if (trace !== undefined) writer.text(trace);
}

function readFound(reader: Reader): Result {
  const flags = reader.below(4, "kind of answer");
  const context = readContext(reader);
  const fastest = reader.varint();
  const values: Uint8Array[] = [];
  const written: { readonly time: Millis; readonly actor: Actor }[] = [];
  for (let left = reader.count(foundBytesMin); left > 0; left--) {
    written.push({ time: reader.varint(), actor: reader.actor() });
    values.push(reader.block());
  }
  const trace = (flags & isTraced) === 0 ? undefined : reader.text();
  const degraded = (flags & isDegraded) !== 0;
  return { kind: "found", values, context, fastest, degraded, written, trace };
}
