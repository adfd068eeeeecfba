/**
 * A checkpoint: a consistent copy that is a database of its own. Tables never change, so they get
 * a second name; what is in memory is written out as the logs that it is the image of. Writers go
 * on meanwhile: the copy is of the moment at which the active segment was sealed.
 */
import { switchCurrent } from "./current.ts";
import { writeFullySync } from "./disk/disk.ts";
import { EngineError } from "./errors.ts";
import { logName, tableName } from "./files.ts";
import { ManifestWriter } from "./manifest.ts";
import type { EngineParts } from "./parts.ts";

/** Bytes of a log written between two turns of the loop. */
const sliceBytes = 1 << 20;

/** Makes the copy in a directory that is absent or empty. */
export async function checkpoint(parts: EngineParts, directory: string): Promise<void> {
  const { disk, tree, commit, segments, identity, takeNumber } = parts;
  if (disk.existsSync(directory) && disk.listSync(directory).length > 0) {
    throw new EngineError("DIRECTORY_INVALID", `${directory} is not empty; name a new directory`);
  }
  // Nothing may come between: a write of the same tick would be cut in two by the seal.
  while (!commit.flushGroup()) await commit.settled();
  if (commit.failure !== undefined) throw commit.failure;
  if (tree.active.memtable.keyCount > 0 && !segments.sealActive(0)) throw commit.failure;
  const view = tree.view();
  const sealed = [...tree.sealed].reverse().map((segment) => segment.memtable);
  const start = sealed[0] ?? tree.active.memtable;
  try {
    disk.makeDirectorySync(directory);
    for (const table of view.set.version.levels.flat()) {
      const name = tableName(table.number);
      disk.linkSync(`${parts.directory}/${name}`, `${directory}/${name}`);
    }
    for (const { logNumber, arena, end } of sealed) {
      await writeLog(parts, `${directory}/${logName(logNumber)}`, arena, end);
    }
    const number = takeNumber();
    const manifest = await ManifestWriter.create({
      disk,
      directory,
      number,
      state: {
        ...identity,
        version: view.set.version,
        nextFile: number + 1,
        lastSequence: start.firstSequence,
        logNumber: start.logNumber,
        sealedLogs: sealed.map((memtable) => ({ number: memtable.logNumber, end: memtable.end })),
      },
    });
    manifest.close();
    await switchCurrent(disk, directory, number);
  } finally {
    view.release();
  }
}

async function writeLog(
  parts: EngineParts,
  path: string,
  arena: Uint8Array,
  end: number,
): Promise<void> {
  const file = parts.disk.openSync(path, "create");
  try {
    for (let at = 0; at < end; at += sliceBytes) {
      writeFullySync(file, arena, at, Math.min(sliceBytes, end - at), at);
      await parts.clock.sleep(0);
    }
    await file.sync();
  } finally {
    file.closeSync();
  }
}
