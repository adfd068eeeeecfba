/**
 * The parts of an open engine, put together. Each part gets the few functions it needs; this file
 * alone knows them all.
 */
import { Background } from "./background.ts";
import type { Clock } from "./clock.ts";
import { Commit } from "./commit.ts";
import type { Workers } from "./compaction/workers.ts";
import type { Disk, DiskLock } from "./disk/disk.ts";
import { ReadPace } from "./disk/read-pace.ts";
import { DiskSpace } from "./disk-space.ts";
import { ManifestChain } from "./manifest-chain.ts";
import type { ManifestState } from "./manifest-state.ts";
import type { Settings } from "./options.ts";
import { Reader } from "./reader.ts";
import type { Identity, Recovered } from "./recovery.ts";
import type { EngineScan } from "./scan.ts";
import { Segments } from "./segments.ts";
import { shutDown } from "./shut-down.ts";
import { Snapshots } from "./snapshots.ts";
import { BlockCache } from "./table/block-cache.ts";
import { OpenTables, TableSet } from "./table-set.ts";
import { Tree } from "./tree.ts";
import { Turn } from "./turn.ts";

/** With durability "interval", writes are durable at most this long after they were made. */
const intervalMs = 100;

/** The world around an engine. */
export interface World {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly workers: Workers;
}

/** What reads and writes share. */
interface State extends World {
  readonly directory: string;
  readonly settings: Settings;
  readonly identity: Identity;
  readonly report: Recovered["report"];
  readonly turn: Turn;
  readonly cache: BlockCache;
  readonly pace: ReadPace;
  readonly files: OpenTables;
  readonly tree: Tree;
  readonly snapshots: Snapshots;
  readonly space: DiskSpace;
  /** Scans not closed yet: closing the engine closes them. */
  readonly scans: Set<EngineScan>;
  /** The next file number. */
  readonly takeNumber: () => number;
  readonly nextFile: () => number;
}

/** What writes and what goes on behind them. */
interface WritePath {
  readonly segments: Segments;
  readonly commit: Commit;
  readonly background: Background;
}

export interface EngineParts extends State, WritePath {
  readonly reader: Reader;
  shutDown(): Promise<void>;
}

/** Puts an engine together around what recovery found, and starts its background work. */
export function assemble(
  world: World,
  place: { readonly directory: string; readonly settings: Settings },
  recovered: Recovered,
  lock: DiskLock | undefined,
): EngineParts {
  const state = stateOf(world, place, recovered);
  const { disk, directory, settings, tree, clock, turn, pace, takeNumber } = state;
  const manifest =
    recovered.manifest === undefined
      ? undefined
      : new ManifestChain(recovered.manifest, {
          disk,
          directory,
          rollBytes: settings.tuning.manifestRollBytes,
          takeNumber,
          state: () => manifestState(state),
        });
  const writePath = writePathOf(state, manifest);
  const { hashSeed } = recovered.identity;
  const parts: EngineParts = {
    ...state,
    ...writePath,
    reader: new Reader({ tree, hashSeed, clock, turn, pace }),
    shutDown: () => shutDown(parts, { manifest, lock }),
  };
  if (!settings.readOnly) {
    state.space.askSoon();
    parts.background.compactSoon();
  }
  return parts;
}

function stateOf(
  world: World,
  place: { readonly directory: string; readonly settings: Settings },
  recovered: Recovered,
): State {
  const { disk, clock } = world;
  const { directory, settings } = place;
  const { hashSeed } = recovered.identity;
  const cache = new BlockCache(settings.cacheBytes);
  const pace = new ReadPace(clock, { startsSlow: true });
  const files = new OpenTables({ disk, directory, hashSeed, cache, pace });
  const set = TableSet.of(files, recovered.version, { built: recovered.built });
  const { reserveBytes } = settings.tuning;
  let nextFile = recovered.nextFile;
  return {
    ...world,
    ...place,
    identity: recovered.identity,
    report: recovered.report,
    turn: new Turn(clock),
    cache,
    pace,
    files,
    tree: new Tree(recovered.active, recovered.sealed, set, recovered.sequence),
    snapshots: new Snapshots(),
    space: new DiskSpace({ disk, directory, clock, reserveBytes }),
    scans: new Set(),
    takeNumber: () => nextFile++,
    nextFile: () => nextFile,
  };
}

/** Commit, segments and background know each other, so each gets the others as functions. */
function writePathOf(state: State, manifest: ManifestChain | undefined): WritePath {
  const { tree, clock, turn, workers, space, snapshots } = state;
  const { hashSeed } = state.identity;
  const segments: Segments = new Segments({
    ...state,
    hashSeed,
    background: () => background,
    commit: () => commit,
    onWritten:
      state.settings.durability === "interval"
        ? intervalSync(clock, { commit: () => commit, background: () => background })
        : () => {},
    prepareFlush: () => workers.prepare(),
    onSealed: () => space.askSoon(),
  });
  const commit: Commit = new Commit({ steps: segments, clock, turn });
  const background: Background = new Background({
    ...state,
    hashSeed,
    tree,
    commit: () => commit,
    manifest,
    snapshots: () => snapshots.marks(),
    onFlushed: (segment) => segments.flushed(segment),
  });
  return { segments, commit, background };
}

function manifestState({ identity, tree, nextFile }: State): ManifestState {
  const oldest = (tree.sealed.at(-1) ?? tree.active).memtable;
  return {
    ...identity,
    version: tree.set.version,
    nextFile: nextFile(),
    lastSequence: oldest.firstSequence,
    logNumber: oldest.logNumber,
    sealedLogs: [],
  };
}

/**
 * With durability "interval": after a write, syncs once an interval until nothing is left to sync.
 * Returns what is to be called after each write.
 */
function intervalSync(
  clock: Clock,
  parts: { readonly commit: () => Commit; readonly background: () => Background },
): () => void {
  let running = false;
  // A failure is kept by the commit path, which refuses every later write with it.
  const loop = async (): Promise<void> => {
    do {
      await clock.sleep(intervalMs);
      if (parts.background().isStopping) break;
      await parts
        .commit()
        .syncAll()
        .catch(() => {});
    } while (parts.commit().isBehind && parts.commit().failure === undefined);
    running = false;
  };
  return () => {
    if (running) return;
    running = true;
    void loop();
  };
}
