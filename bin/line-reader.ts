/**
 * Lines of a stream of bytes, many at a time. Each 1 MiB of whole lines is checked and decoded at
 * once, which is several times faster than line by line; only where it is not all UTF-8 is each
 * line looked at. A byte order mark before the first line is dropped. No line is held beyond
 * `lineBytesMax`, however long it is.
 */
import { isUtf8 } from "node:buffer";

/** A line without its line feed, or why it cannot be given. */
export type Line = string | { readonly problem: string };

export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<Line[]> {
  const pending = new PendingLine(lineBytesMax);
  let isFirst = true;
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(lineFeed);
    if (last === -1) {
      pending.add(chunk);
      continue;
    }
    // What was begun before ends with the first line feed of this chunk.
    const first = pending.isEmpty ? 0 : chunk.indexOf(lineFeed) + 1;
    const lines = first === 0 ? [] : [pending.finish(chunk.subarray(0, first - 1))];
    if (last >= first) append(lines, chunk.subarray(first, last));
    pending.add(chunk.subarray(last + 1));
    if (isFirst) lines[0] = withoutMark(lines[0]!);
    isFirst = false;
    yield lines;
  }
  if (pending.isEmpty) return;
  const line = pending.finish(new Uint8Array(0));
  yield [isFirst ? withoutMark(line) : line];
}

const lineFeed = 10;

/** The start of a line whose end has not come yet. */
class PendingLine {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  add(part: Uint8Array): void {
    this.#bytes += part.length;
    // Beyond the limit only its length matters.
    if (this.#bytes > this.#bytesMax) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  finish(end: Uint8Array): Line {
    this.add(end);
    const bytes = this.#bytes;
    const line =
      bytes > this.#bytesMax
        ? { problem: `line is ${bytes} bytes, limit ${this.#bytesMax}` }
        : decodeLine(Buffer.concat(this.#parts));
    this.#parts = [];
    this.#bytes = 0;
    return line;
  }
}

/** Whole lines that stand in one chunk, which is far shorter than any limit. */
function append(lines: Line[], bytes: Uint8Array): void {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(block)) {
    for (const line of block.toString("utf8").split("\n")) lines.push(line);
    return;
  }
  for (let at = 0; at <= block.length; ) {
    const found = block.indexOf(lineFeed, at);
    const end = found === -1 ? block.length : found;
    lines.push(decodeLine(block.subarray(at, end)));
    at = end + 1;
  }
}

function decodeLine(line: Buffer): Line {
  return isUtf8(line) ? line.toString("utf8") : { problem: "line is not valid UTF-8" };
}

function withoutMark(line: Line): Line {
  return typeof line === "string" && line.startsWith("\ufeff") ? line.slice(1) : line;
}
