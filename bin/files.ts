/** Files of kvctl besides databases: the only file here that touches the file system. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError } from "./exit.ts";

const chunkBytes = 1 << 20;
const secretBytesMax = 64 << 10;

/** Something to read: a file, or standard input. */
export interface Input {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** undefined when it is not known beforehand. */
  readonly bytes: number | undefined;
  /** Stops reading; otherwise a pipe that is still open would keep the process alive. */
  stop(): void;
}

/** "-" means standard input. Refuses at once what cannot be opened. */
export async function openInput(path: string): Promise<Input> {
  if (path === "-") {
    const { stdin } = process;
    return {
      chunks: named("standard input", stdin),
      bytes: undefined,
      stop: () => stdin.destroy(),
    };
  }
  const file = await open(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  const stat = await file.stat();
  if (stat.isDirectory()) {
    await file.close();
    throw new CommandError("FILE", `cannot read ${path}: it is a directory`);
  }
  const stream = file.createReadStream({ highWaterMark: chunkBytes });
  return {
    chunks: named(path, stream),
    bytes: stat.isFile() ? stat.size : undefined,
    stop: () => stream.destroy(),
  };
}

/** The whole of a file or of standard input; `bytesMax` bounds what an endless one can take. */
export async function readAll(path: string, bytesMax: number): Promise<Uint8Array> {
  const { chunks, stop } = await openInput(path);
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

/** The text of a small file. */
export async function readText(path: string | URL): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw unreadable(String(path), cause);
  }
}

/** A file with a secret, which nobody but its owner may be able to read or change. */
export async function readSecret(path: string): Promise<string> {
  const file = await open(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const { mode, size } = await file.stat();
    if (size > secretBytesMax) throw new Error(`it has more than ${secretBytesMax} bytes`);
    if (process.platform !== "win32" && (mode & 0o066) !== 0) {
      const message = `${path} is mode 0${(mode & 0o777).toString(8)}, but it holds a secret`;
      throw new CommandError("INSECURE_PERMISSIONS", `${message}: chmod 600 ${path}`);
    }
    return await file.readFile("utf8");
  } catch (error) {
    throw error instanceof CommandError ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
}

export function exists(path: string): boolean {
  return existsSync(path);
}

/** Made with all above it where it is not there; then nobody else may look into it. */
export function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Never one that is there already. Whoever may not read it never could, not for a moment. */
export async function writeNewFile(
  path: string,
  content: string,
  { mode }: { readonly mode: number },
): Promise<void> {
  try {
    await writeFile(path, content, { mode, flag: "wx" });
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** In place of what is there, whole or not at all. */
export async function writeSecret(path: string, content: string): Promise<void> {
  const beside = `${path}.${process.pid}.new`;
  await writeNewFile(beside, content, { mode: 0o600 });
  try {
    await rename(beside, path);
  } catch (cause) {
    await removeFile(beside);
    throw unwritable(path, cause);
  }
}

export function removeFile(path: string): Promise<void> {
  return rm(path, { force: true });
}

/** A new directory that `remove` takes away again, with all that is in it. */
export function makeScratch(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "everwrite-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** Says which file could not be read. */
async function* named(name: string, chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw unreadable(name, error);
  }
}

function unreadable(name: string, cause: unknown): CommandError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new CommandError("FILE", `cannot read ${name}: ${said}`, { cause });
}

function unwritable(name: string, cause: unknown): CommandError {
  const isThere = (cause as NodeJS.ErrnoException).code === "EEXIST";
  const said = cause instanceof Error ? cause.message : String(cause);
  return new CommandError(isThere ? "FILE_EXISTS" : "FILE", `cannot write ${name}: ${said}`, {
    cause,
  });
}
