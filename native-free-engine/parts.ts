/**
 * The parts of an open engine, put together and taken apart again. Each part gets the few
 * functions it needs; this file alone knows them all.
 */
import { Background } from "./background.ts";
import type { Clock } from "./clock.ts";
import { Commit } from "./commit.ts";
import type { Workers } from "./compaction/workers.ts";
import { switchCurrent } from "./current.ts";
import type { Disk, DiskLock } from "./disk/disk.ts";
import { ReadPace } from "./disk/read-pace.ts";
import { DiskSpace } from "./disk-space.ts";
import { manifestName } from "./files.ts";
import { fileHeaderBytes } from "./log/record.ts";
import { ManifestWriter } from "./manifest.ts";
import type { Settings } from "./options.ts";
import { Reader } from "./reader.ts";
import type { Identity, Recovered } from "./recovery.ts";
import type { EngineScan } from "./scan.ts";
import { Segments } from "./segments.ts";
import { Snapshots } from "./snapshots.ts";
import { SyncPace } from "./sync-pace.ts";
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

export interface EngineParts extends World {
  readonly directory: string;
  readonly settings: Settings;
  readonly identity: Identity;
  readonly report: Recovered["report"];
  readonly turn: Turn;
  readonly cache: BlockCache;
  readonly pace: ReadPace;
  readonly files: OpenTables;
  readonly tree: Tree;
  readonly segments: Segments;
  readonly commit: Commit;
  readonly background: Background;
  readonly reader: Reader;
  readonly snapshots: Snapshots;
  readonly space: DiskSpace;
  /** Scans not closed yet: closing the engine closes them. */
  readonly scans: Set<EngineScan>;
  readonly takeNumber: () => number;
  shutDown(): Promise<void>;
}

/** Puts an engine together around what recovery found. */
export function assemble(
  world: World,
  place: { readonly directory: string; readonly settings: Settings },
  recovered: Recovered,
  lock: DiskLock | undefined,
): EngineParts {
  const { disk, clock, workers } = world;
  const { directory, settings } = place;
  const { hashSeed } = recovered.identity;
  const turn = new Turn(clock);
  const cache = new BlockCache(settings.cacheBytes);
  const pace = new ReadPace(clock, { startsSlow: true });
  const files = new OpenTables({ disk, directory, hashSeed, cache, pace });
  const set = TableSet.of(files, recovered.version, { built: recovered.built });
  const tree = new Tree(recovered.active, recovered.sealed, set, recovered.sequence);
  const snapshots = new Snapshots();
  const { reserveBytes } = settings.tuning;
  const space = new DiskSpace({ disk, directory, clock, reserveBytes });
  let manifest = recovered.manifest;
  let nextFile = recovered.nextFile;
  const takeNumber = (): number => nextFile++;
  const segments: Segments = new Segments({
    disk,
    directory,
    settings,
    hashSeed,
    tree,
    takeNumber,
    background: () => background,
    commit: () => commit,
    prepareFlush: () => workers.prepare(),
    onSealed: () => space.askSoon(),
  });
  const commit: Commit = new Commit({ steps: segments, clock, turn, pace: new SyncPace() });
  const background: Background = new Background({
    directory,
    settings,
    hashSeed,
    clock,
    workers,
    tree,
    commit: () => commit,
    files,
    manifest: () => manifest!,
    takeNumber,
    snapshots: () => snapshots.marks(),
    onFlushed: (segment) => segments.flushed(segment),
    beforeEdit: async () => {
      if (manifest!.shouldRoll) manifest = await rollManifest(manifest!);
    },
    nextFile: () => nextFile,
  }, { cursors: [] });

  /** A manifest grows with every flush; a fresh one begins with one record of the whole state. */
  async function rollManifest(before: ManifestWriter): Promise<ManifestWriter> {
    const number = takeNumber();
    const oldest = tree.sealed.at(-1) ?? tree.active;
    const next = await ManifestWriter.create({
      disk,
      directory,
      number,
      state: {
        ...recovered.identity,
        version: tree.set.version,
        nextFile,
        lastSequence: oldest.memtable.firstSequence,
        logNumber: oldest.memtable.logNumber,
        sealedLogs: [],
      },
    });
    await switchCurrent(disk, directory, number);
    before.close();
    disk.removeSync(`${directory}/${manifestName(before.number)}`);
    return next;
  }

  const scans = new Set<EngineScan>();
  let stopped = false;

  /** With durability "interval": one sync after another while there is something to sync. */
  async function syncByInterval(): Promise<void> {
    while (!stopped && settings.durability === "interval" && commit.failure === undefined) {
      await clock.sleep(intervalMs);
      // A failure is kept by the commit path, which refuses every later write with it.
      if (!stopped) await commit.syncAll().catch(() => {});
    }
  }

  async function sealLogs(): Promise<void> {
    const unflushed = [tree.active, ...tree.sealed].filter(
      ({ memtable }) => memtable.end > fileHeaderBytes,
    );
    if (tree.active.memtable.end > fileHeaderBytes) commit.seal(tree.active);
    if (commit.failure !== undefined) throw commit.failure;
    for (const { log } of unflushed) if (log.synced < log.written) await log.sync();
    const sealedLogs = unflushed.map(({ memtable }) => ({
      number: memtable.logNumber,
      end: memtable.end,
    }));
    if (sealedLogs.length === 0) return;
    await background.install({ added: [], removed: [], nextFile, sealedLogs }, []);
  }

  async function shutDown(): Promise<void> {
    try {
      for (const scan of [...scans]) await scan.close();
      await commit.settled();
      while (commit.hasHeldWrites && background.failure === undefined) await background.flushed();
      await commit.settled();
      stopped = true;
      await background.stop();
      if (!settings.readOnly && commit.failure === undefined) await sealLogs();
    } finally {
      stopped = true;
      files.removesObsolete = false;
      await files.idle();
      files.closeAll();
      for (const { log } of [tree.active, ...tree.sealed]) log.close();
      manifest?.close();
      await workers.close();
      await lock?.release();
    }
  }

  if (!settings.readOnly && settings.durability === "interval") void syncByInterval();
  if (!settings.readOnly) {
    space.askSoon();
    background.compactSoon();
  }
  const reader = new Reader({ tree, hashSeed, clock, turn, pace });
  return {
    ...world,
    directory,
    settings,
    identity: recovered.identity,
    report: recovered.report,
    turn,
    cache,
    pace,
    files,
    tree,
    segments,
    commit,
    background,
    reader,
    snapshots,
    space,
    scans,
    takeNumber,
    shutDown,
  };
}
