/** Opening an engine on given ports: the door's work, without the choice of a real disk. */
import type { EngineOptions } from "./api.ts";
import { loadHash } from "./base/hash.ts";
import { namedWorkers } from "./compaction/named-workers.ts";
import { withFinalSyncs } from "./disk/final-syncs.ts";
import { LsmEngine } from "./engine.ts";
import { EngineError, isEngineError } from "./errors.ts";
import { type Settings, settingsOf, type Tuning } from "./options.ts";
import { assemble, type World } from "./parts.ts";
import { findDatabase, type Identity, recover, recoverReadOnly } from "./recovery.ts";

/** What a test may choose besides. */
export interface OpenContext {
  readonly memoryBytes: number;
  readonly newIdentity: () => Identity;
  readonly tuning?: Partial<Tuning>;
}

/** A reader beside a live writer may find a file gone: it looks again, so often and so long. */
const readOnlyTriesMax = 10;
const readOnlyWaitMs = 10;

export async function openOn(
  world: World,
  directory: string,
  options: EngineOptions,
  context: OpenContext,
): Promise<LsmEngine> {
  try {
    if (typeof directory !== "string" || directory === "") {
      throw new TypeError("location must be the path of a directory");
    }
    const settings = settingsOf(options, context, context.tuning);
    await loadHash();
    const open = settings.readOnly ? openToRead : openToWrite;
    return await open(world, directory, settings, context);
  } catch (error) {
    await world.workers.close();
    throw typeof directory === "string" ? wrapped(error, directory) : error;
  }
}

async function openToWrite(
  outside: World,
  directory: string,
  settings: Settings,
  context: OpenContext,
): Promise<LsmEngine> {
  const disk = withFinalSyncs(outside.disk);
  const world = { ...outside, disk, workers: namedWorkers(disk, outside.workers) };
  if (!disk.existsSync(directory)) {
    // Says so, without making a directory, where nothing may be created.
    findDatabase(disk, directory, settings);
    disk.makeDirectorySync(directory);
  }
  const lock = await disk.lock(directory);
  try {
    const recovered = await recover({ ...world, directory, settings, ...context });
    return new LsmEngine(assemble(world, { directory, settings }, recovered, lock));
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openToRead(
  world: World,
  directory: string,
  settings: Settings,
  context: OpenContext,
): Promise<LsmEngine> {
  for (let tries = 1; ; tries++) {
    try {
      const recovered = recoverReadOnly({ ...world, directory, settings, ...context });
      const parts = assemble(world, { directory, settings }, recovered, undefined);
      try {
        // An open file stays readable when the writer removes its name.
        for (const handle of parts.tree.set.handles) handle.table();
      } catch (error) {
        parts.files.closeAll();
        throw error;
      }
      return new LsmEngine(parts);
    } catch (error) {
      const fatal =
        isEngineError(error, "DATABASE_MISSING") || isEngineError(error, "FORMAT_TOO_NEW");
      if (fatal || tries === readOnlyTriesMax) throw error;
      await world.clock.sleep(readOnlyWaitMs);
    }
  }
}

/** System errors get a code of ours, and keep their cause. */
function wrapped(error: unknown, directory: string): unknown {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (error instanceof EngineError || typeof code !== "string") return error;
  const said = error instanceof Error ? error.message : String(error);
  const unusable = ["ENOTDIR", "EACCES", "EPERM", "EROFS", "EEXIST"].includes(code);
  return new EngineError(
    unusable ? "DIRECTORY_INVALID" : "IO",
    `cannot open ${directory}: ${said}`,
    {
      cause: error,
      applied: "no",
    },
  );
}
