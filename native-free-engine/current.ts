/**
 * CURRENT names the manifest that counts. Its whole content is the name, a space, eight hex digits
 * of the name's hash32 with seed 0, and a newline. It is replaced by a rename, so a crash leaves
 * the old one or the new one. A CURRENT that reads otherwise is refused and named, never guessed:
 * an older manifest that happens to be around describes tables that are gone.
 */
import { hash32 } from "./base/hash.ts";
import { type Disk, readFullySync, writeFullySync } from "./disk/disk.ts";
import { ioError } from "./errors.ts";
import { currentName, manifestName, parseName, pathIn, temporarySuffix } from "./files.ts";

export type CurrentFound =
  | { readonly kind: "ok"; readonly number: number }
  | { readonly kind: "missing" }
  | { readonly kind: "damaged"; readonly what: string };

/** Longer than any content that is right. */
const readBytesMax = 64;

export function readCurrent(disk: Disk, directory: string): CurrentFound {
  const path = pathIn(directory, currentName);
  try {
    if (!disk.existsSync(path)) return { kind: "missing" };
    const file = disk.openSync(path, "read");
    try {
      const bytes = new Uint8Array(readBytesMax);
      const length = readFullySync(file, bytes, 0, readBytesMax, 0);
      return parseCurrent(Buffer.from(bytes.buffer, 0, length).toString("latin1"));
    } finally {
      file.closeSync();
    }
  } catch (cause) {
    throw ioError({ file: currentName }, "read", cause);
  }
}

/** Makes that manifest, which is durable with its name already, the one that counts. */
export async function switchCurrent(disk: Disk, directory: string, number: number): Promise<void> {
  const path = pathIn(directory, currentName);
  const temporary = path + temporarySuffix;
  try {
    // A crash may have left one with any content.
    if (disk.existsSync(temporary)) disk.removeSync(temporary);
    const file = disk.openSync(temporary, "create");
    try {
      const bytes = Buffer.from(currentContent(number), "latin1");
      writeFullySync(file, bytes, 0, bytes.length, 0);
      await file.sync();
    } finally {
      file.closeSync();
    }
    disk.renameSync(temporary, path);
    await disk.syncDirectory(directory);
  } catch (cause) {
    throw ioError({ file: currentName }, "replacement", cause);
  }
}

export function currentContent(number: number): string {
  const name = manifestName(number);
  const bytes = Uint8Array.from(Buffer.from(name, "latin1"));
  const sum = hash32(bytes, 0, bytes.length, 0).toString(16).padStart(8, "0");
  return `${name} ${sum}\n`;
}

/** What the whole content of the file says. */
export function parseCurrent(content: string): CurrentFound {
  const { kind, number } = parseName(content.slice(0, Math.max(0, content.indexOf(" "))));
  if (kind === "manifest" && content === currentContent(number)) return { kind: "ok", number };
  const shown = JSON.stringify(content.slice(0, 40));
  return { kind: "damaged", what: `it reads ${shown}, which is no manifest's name and checksum` };
}
