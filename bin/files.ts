/** Files that kvctl reads besides databases: the only file here that touches the file system. */
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError } from "./exit.ts";

const chunkBytes = 1 << 20;

/** Something to read: a file, or standard input. */
export interface Input {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** undefined when it is not known beforehand. */
  readonly bytes: number | undefined;
  /** Stops reading; otherwise a pipe that is still open would keep the process alive. */
  stop(): void;
}

/** "-" means standard input. */
export function openInput(path: string): Input {
  if (path === "-") {
    const { stdin } = process;
    return {
      chunks: named("standard input", stdin),
      bytes: undefined,
      stop: () => stdin.destroy(),
    };
  }
  const stream = createReadStream(path, { highWaterMark: chunkBytes });
  return { chunks: named(path, stream), bytes: sizeOf(path), stop: () => stream.destroy() };
}

/** The whole of a file or of standard input; `bytesMax` bounds what an endless one can take. */
export async function readAll(path: string, bytesMax: number): Promise<Uint8Array> {
  const { chunks, stop } = openInput(path);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes <= bytesMax) continue;
    stop();
    const shown = path === "-" ? "standard input" : path;
    throw new CommandError("VALUE_TOO_LARGE", `${shown} is longer than ${bytesMax} bytes`);
  }
  return Buffer.concat(parts);
}

/** The text of a file that belongs to us. */
export function readText(path: string | URL): Promise<string> {
  return readFile(path, "utf8");
}

export function exists(path: string): boolean {
  return existsSync(path);
}

/** A new directory that `remove` takes away again, with all that is in it. */
export function makeScratch(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "everwrite-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}

function sizeOf(path: string): number | undefined {
  try {
    const stat = statSync(path);
    return stat.isFile() ? stat.size : undefined;
  } catch {
    // Reading it will fail in the same way, and say so.
    return undefined;
  }
}

/** Says which file could not be read. */
async function* named(name: string, chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* chunks;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError("FILE", `cannot read ${name}: ${said}`, { cause });
  }
}
