/**
 * Closing: running calls end, held writes get their room, background work stops, and the logs that
 * no table has yet are sealed, synced and noted in the manifest, so that a later open can tell
 * damage from an unfinished tail. Whatever fails on the way, files and lock are let go of.
 */
import type { Background } from "./background.ts";
import type { Commit } from "./commit.ts";
import type { Workers } from "./compaction/workers.ts";
import type { DiskLock } from "./disk/disk.ts";
import { fileHeaderBytes } from "./log/record.ts";
import type { ManifestChain } from "./manifest-chain.ts";
import type { EngineScan } from "./scan.ts";
import type { OpenTables } from "./table-set.ts";
import type { Tree } from "./tree.ts";

/** What has to be brought to an end. */
interface Running {
  readonly commit: Commit;
  readonly background: Background;
  readonly files: OpenTables;
  readonly tree: Tree;
  readonly workers: Workers;
  readonly scans: ReadonlySet<EngineScan>;
}

export async function shutDown(
  parts: Running,
  held: { readonly manifest: ManifestChain | undefined; readonly lock: DiskLock | undefined },
): Promise<void> {
  const { commit, background, files, tree, workers, scans } = parts;
  try {
    for (const scan of [...scans]) await scan.close();
    await commit.settled();
    while (commit.hasHeldWrites && background.failure === undefined) {
      await background.flushed();
      await commit.settled();
    }
    await background.stop();
    if (held.manifest !== undefined && commit.failure === undefined) {
      await sealLogs(parts);
      await held.manifest.finish();
    }
  } finally {
    await background.stop();
    files.removesObsolete = false;
    await files.idle();
    // Tables are closed when the last read that is still running has let go of them: one that goes
    // on to another table would open it again, and nobody would ever close that.
    tree.set.release();
    // A sync that still runs would hold its file open beyond the close.
    await commit.idle();
    for (const { log } of [tree.active, ...tree.sealed]) log.close();
    held.manifest?.close();
    await workers.close();
    await held.lock?.release();
  }
}

/** After this, every operation of the logs is provably durable. */
async function sealLogs(parts: Running): Promise<void> {
  const { tree, commit, background } = parts;
  if (tree.active.memtable.end > fileHeaderBytes) commit.seal(tree.active);
  if (commit.failure !== undefined) throw commit.failure;
  const unflushed = [tree.active, ...tree.sealed].filter(
    ({ memtable }) => memtable.end > fileHeaderBytes,
  );
  if (unflushed.length === 0) return;
  for (const { log } of unflushed) if (log.synced < log.written) await log.sync();
  const sealedLogs = unflushed.map(({ memtable }) => ({
    number: memtable.logNumber,
    end: memtable.end,
  }));
  await background.install({ added: [], removed: [], sealedLogs }, []);
}
