/**
 * What goes on behind the writes: flushing full memtables in order, keeping the tree in shape, and
 * recording each change in the manifest before anything relies on it. One flush and one
 * compaction run at a time; each change of the version is appended, synced, and then installed.
 */
import { assert } from "./base/assert.ts";
import type { Clock } from "./clock.ts";
import type { Commit } from "./commit.ts";
import type { Job, JobResult, KeyRange, SnapshotMark } from "./compaction/job.ts";
import {
  type PickState,
  type Plan,
  pickCompaction,
  pickIdle,
  pressure,
} from "./compaction/pick.ts";
import type { Workers } from "./compaction/workers.ts";
import { coded, EngineError } from "./errors.ts";
import type { ManifestChain } from "./manifest-chain.ts";
import { compressionAt, type Settings } from "./options.ts";
import type { Segment } from "./segment.ts";
import type { BuiltTable } from "./table/meta.ts";
import { type OpenTables, TableSet } from "./table-set.ts";
import type { Tree } from "./tree.ts";
import { applyEdit, bytesOf, type Edit } from "./version.ts";

/** A full disk is asked again after this long. */
const diskFullRetryMs = 500;
/** A guess until the first jobs have been timed, and the weight of each further sample. */
const rateAtFirst = 100_000;
const rateWeight = 0.3;
/** Writing less than this share of a memtable counts as quiet. */
const quietShare = 1 / 64;
/** Other failures of a flush or compaction are tried once more: the inputs are all still there. */
const triesMax = 2;

export interface BackgroundParts {
  readonly directory: string;
  readonly settings: Settings;
  readonly hashSeed: number;
  readonly clock: Clock;
  readonly workers: Workers;
  readonly tree: Tree;
  readonly commit: () => Commit;
  readonly files: OpenTables;
  /** Absent where the database was opened to read: then there is no background work. */
  readonly manifest: ManifestChain | undefined;
  readonly takeNumber: () => number;
  readonly snapshots: () => SnapshotMark[];
  /** A segment's operations are in tables, durably. */
  readonly onFlushed: (segment: Segment) => void;
  readonly nextFile: () => number;
}

export interface Counters {
  flushes: number;
  flushBytesWritten: number;
  compactions: number;
  compactionBytesRead: number;
  compactionBytesWritten: number;
  trivialMoves: number;
}

export class Background {
  readonly #parts: BackgroundParts;
  readonly counters: Counters = {
    flushes: 0,
    flushBytesWritten: 0,
    compactions: 0,
    compactionBytesRead: 0,
    compactionBytesWritten: 0,
    trivialMoves: 0,
  };
  readonly #pickState: PickState = { cursors: [] };
  #flushing: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  #edits: Promise<void> = Promise.resolve();
  #manual = 0;
  #stopping = false;
  #idleAsked = false;
  /** Since when few bytes were written, and what the sequence was then. */
  #quietSince = 0;
  #quietSequence = 0;
  #failure: Error | undefined;
  #pressure = 0;
  /** Bytes a millisecond that a flush writes, and that a compaction takes out of level 0. */
  #flushRate = rateAtFirst;
  #compactRate = rateAtFirst;

  constructor(parts: BackgroundParts) {
    this.#parts = parts;
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Flushes and compactions that run or are due; idle merges count once they have begun. */
  get jobs(): number {
    return this.#parts.tree.sealed.length + (this.#compacting === undefined ? 0 : 1);
  }

  /**
   * How long each written byte is to be held back. Where flush or compaction is behind, writes are
   * slowed towards the rate at which it goes on, in proportion to how far behind it is: at half
   * the way to the limit they come in as fast as they are carried away.
   */
  get holdMsPerByte(): number {
    const { tree, settings } = this.#parts;
    const compacting = (2 * this.#pressure) / this.#compactRate;
    if (tree.sealed.length < settings.tuning.sealedMax) return compacting;
    // No free memtable is left: slow down while the last one fills instead of stopping at its end.
    const filled = Math.min(1, tree.active.memtable.end / settings.memtableBytes);
    return Math.max(compacting, (2 * filled) / this.#flushRate);
  }

  /** A segment was sealed: flush it when its turn comes. */
  flushSoon(): void {
    if (this.#flushing !== undefined || this.#stopping || this.#failure !== undefined) return;
    this.#flushing = this.#flushAll().finally(() => {
      this.#flushing = undefined;
      // One may have been sealed between the last look and this moment.
      if (this.#parts.tree.sealed.length > 0) this.flushSoon();
    });
  }

  /** Something changed or time passed: compact if the tree is out of shape. */
  compactSoon(): void {
    if (this.#compacting !== undefined || this.#manual > 0) return;
    if (this.#stopping || this.#failure !== undefined) return;
    this.#compacting = this.#compactAll().finally(() => {
      this.#compacting = undefined;
      this.#askIdle();
      // A flush may have ended between the last look and this moment.
      if (this.#nextPlan() !== undefined) this.compactSoon();
    });
  }

  /** Runs plans of the caller's choice, alone, until it has none. */
  async compactBy(next: () => Plan | undefined): Promise<void> {
    this.#manual += 1;
    try {
      while (this.#compacting !== undefined) await this.#compacting;
      const own = (async () => {
        for (let plan = next(); plan !== undefined && !this.#stopping; plan = next()) {
          await this.#carryOut(plan);
        }
      })();
      this.#compacting = own.then(
        () => {},
        () => {},
      );
      try {
        await own;
      } finally {
        this.#compacting = undefined;
      }
    } finally {
      this.#manual -= 1;
    }
    this.compactSoon();
  }

  /** Resolves when nothing is sealed any more; rejects when flushing has failed for good. */
  async flushed(): Promise<void> {
    while (this.#parts.tree.sealed.length > 0) {
      if (this.#failure !== undefined) throw this.#failure;
      this.flushSoon();
      await this.#flushing;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Lets the running jobs end and starts no more. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.allSettled([this.#flushing, this.#compacting]);
    await this.#edits;
  }

  /** Appends an edit to the manifest, then makes the tree that results current. */
  install(edit: Edit, built: readonly BuiltTable[]): Promise<void> {
    const done = this.#edits.then(async () => {
      const { tree, files, manifest, nextFile } = this.#parts;
      assert(manifest !== undefined, "a database opened to read is not edited");
      const version = applyEdit(tree.set.version, edit);
      await manifest.append({ nextFile: nextFile(), ...edit });
      tree.replaceSet(TableSet.of(files, version, { previous: tree.set, built }));
      this.#measurePressure();
    });
    this.#edits = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  async #flushAll(): Promise<void> {
    const { tree } = this.#parts;
    for (let tries = 1; tree.sealed.length > 0 && !this.#stopping; ) {
      const segment = tree.sealed.at(-1)!;
      try {
        await this.#flushOne(segment);
        tries = 1;
      } catch (error) {
        if (!(await this.#mayRetry(error, tries))) return;
        tries += 1;
      }
    }
  }

  async #flushOne(segment: Segment): Promise<void> {
    const { tree, commit, onFlushed } = this.#parts;
    const { memtable } = segment;
    const newer = tree.sealed[tree.sealed.indexOf(segment) - 1] ?? tree.active;
    const began = this.#parts.clock.elapsed();
    const result = await this.#run({
      kind: "flush",
      ...this.#jobBase(0),
      number: this.#parts.takeNumber(),
      arena: memtable.arena,
      end: memtable.end,
      firstSequence: memtable.firstSequence,
    });
    const added = result.tables.map((table) => ({ level: 0, table }));
    const { logNumber, firstSequence } = newer.memtable;
    const edit = { added, removed: [], logNumber, lastSequence: firstSequence };
    await this.install(edit, result.tables);
    this.#flushRate = blended(this.#flushRate, memtable.end, this.#since(began));
    this.counters.flushes += 1;
    this.counters.flushBytesWritten += result.bytesWritten;
    tree.sealed = tree.sealed.filter((other) => other !== segment);
    onFlushed(segment);
    commit().forget(segment);
    commit().roomMade();
    this.compactSoon();
  }

  async #compactAll(): Promise<void> {
    for (let tries = 1; !this.#stopping && this.#manual === 0; ) {
      const plan = this.#nextPlan();
      if (plan === undefined) return;
      try {
        await this.#carryOut(plan);
        tries = 1;
      } catch (error) {
        if (!(await this.#mayRetry(error, tries))) return;
        tries += 1;
      }
    }
  }

  #nextPlan(): Plan | undefined {
    const { tree, settings } = this.#parts;
    const version = tree.set.version;
    const plan = pickCompaction(version, settings.tuning.limits, this.#pickState);
    if (plan !== undefined) return plan;
    return this.#isQuiet() ? pickIdle(version) : undefined;
  }

  /**
   * Whether nobody has written much for a while and nothing waits for its flush. Between two full
   * memtables may lie half a second of writing at full speed: taking that for quiet made a load of
   * a million puts with 128 in flight 30 % slower, and write one of single puts 4.8 times instead
   * of 3.2.
   */
  #isQuiet(): boolean {
    const { tree, settings, clock } = this.#parts;
    const now = clock.elapsed();
    const written = tree.sequence - this.#quietSequence;
    if (tree.sealed.length > 0 || written > settings.memtableBytes * quietShare) {
      this.#quietSequence = tree.sequence;
      this.#quietSince = now;
    }
    return now - this.#quietSince >= settings.tuning.idleMs;
  }

  async #carryOut(plan: Plan): Promise<void> {
    if (plan.kind === "move") {
      const { table, from, to } = plan;
      const added = [{ level: to, table }];
      await this.install({ added, removed: [{ level: from, number: table.number }] }, []);
      this.counters.trivialMoves += 1;
      return;
    }
    const { tableBytes } = this.#parts.settings.tuning.limits;
    const inputs = plan.runs.flat();
    const inputBytes = inputs.reduce((sum, table) => sum + table.bytes, 0);
    const outputsMax = 2 * Math.ceil(inputBytes / tableBytes) + inputs.length + 2;
    const began = this.#parts.clock.elapsed();
    const result = await this.#run({
      kind: "compaction",
      ...this.#jobBase(plan.to),
      runs: plan.runs,
      numbers: Array.from({ length: outputsMax }, () => this.#parts.takeNumber()),
      tableBytes,
      deeper: plan.deeper as readonly KeyRange[],
    });
    const added = result.tables.map((table) => ({ level: plan.to, table }));
    await this.install({ added, removed: plan.removed }, result.tables);
    if (plan.from === 0) {
      const fresh = bytesOf(plan.runs.slice(0, -1).flat());
      this.#compactRate = blended(this.#compactRate, fresh, this.#since(began));
    }
    this.counters.compactions += 1;
    this.counters.compactionBytesRead += result.bytesRead;
    this.counters.compactionBytesWritten += result.bytesWritten;
  }

  #since(began: number): number {
    return Math.max(1, this.#parts.clock.elapsed() - began);
  }

  async #run(job: Job): Promise<JobResult> {
    try {
      return await this.#parts.workers.run(job);
    } catch (error) {
      throw coded(error, job.kind);
    }
  }

  #jobBase(level: number) {
    const { directory, settings, hashSeed, clock, snapshots } = this.#parts;
    const compression = compressionAt(settings.compression, level);
    return {
      directory,
      shape: { hashSeed, blockBytes: settings.tuning.blockBytes, compression, level },
      snapshots: snapshots(),
      now: clock.now(),
    };
  }

  /** Waits and says yes where trying again can help; else everything is refused from now on. */
  async #mayRetry(error: unknown, tries: number): Promise<boolean> {
    const cause = error instanceof EngineError && error.code === "IO" ? error.cause : error;
    const system = (cause as { code?: unknown } | undefined)?.code;
    if (this.#stopping) return false;
    // A manifest that failed stays so: there is nothing to wait for.
    const poisoned = this.#parts.manifest?.failure !== undefined;
    if (!poisoned && (system === "ENOSPC" || system === "EDQUOT")) {
      await this.#parts.clock.sleep(diskFullRetryMs);
      return !this.#stopping;
    }
    const damaged = error instanceof EngineError && error.code === "CORRUPTION";
    if (!damaged && !poisoned && tries < triesMax) return true;
    this.fail(error);
    return false;
  }

  /** Keeps the first failure and refuses writes with it; reads go on. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    const said = error instanceof Error ? error.message : String(error);
    const failure =
      error instanceof EngineError
        ? error
        : new EngineError("IO", `background work failed: ${said}`, { cause: error });
    this.#failure = failure;
    this.#parts.commit().fail(failure);
  }

  #measurePressure(): void {
    const { tree, settings } = this.#parts;
    this.#pressure = pressure(tree.set.version, settings.tuning.limits, tree.sealed.length);
  }

  /** After a quiet while, merges what is left in level 0: each table there costs every read. */
  #askIdle(): void {
    if (this.#idleAsked || this.#stopping || this.#failure !== undefined) return;
    if (pickIdle(this.#parts.tree.set.version) === undefined) return;
    this.#idleAsked = true;
    // The clock never rejects.
    void this.#parts.clock.sleep(this.#parts.settings.tuning.idleMs).then(() => {
      this.#idleAsked = false;
      this.compactSoon();
    });
  }
}

function blended(rate: number, bytes: number, ms: number): number {
  return Math.max(1, rate + (bytes / ms - rate) * rateWeight);
}
