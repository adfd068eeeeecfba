/**
 * Drives an engine through a script and keeps its history: every call is issued, and noted, when
 * the script says so; what the engine answers, and when, is up to the engine.
 */
import type { EngineOptions, Snapshot } from "../../native-free-engine/api.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { LsmEngine } from "../../native-free-engine/engine.ts";
import { EngineError } from "../../native-free-engine/errors.ts";
import { openOn } from "../../native-free-engine/open.ts";
import type { Tuning } from "../../native-free-engine/options.ts";
import { type Change, contentsOf, History, type Mark } from "./history.ts";
import { pick, randomFrom } from "./random.ts";
import { ScriptClock } from "./script-clock.ts";

export const directory = "/db";

/** How an engine is opened: the same before and after a crash. */
export interface Setup {
  readonly options: EngineOptions;
  readonly tuning: Partial<Tuning>;
}

export function openEngine(disk: MemoryDisk, setup: Setup, at = directory): Promise<LsmEngine> {
  const clock = new ScriptClock();
  const world = { disk, clock, workers: inlineWorkers(disk, clock) };
  const newIdentity = () => ({ databaseId: "00".repeat(16), hashSeed: 7 });
  const context = { memoryBytes: 1 << 30, newIdentity, tuning: setup.tuning };
  return openOn(world, at, setup.options, context);
}

/** All pairs of one instant, in order; throws when point reads say anything else. */
export async function contentsIn(engine: LsmEngine, keys: readonly Buffer[]): Promise<string> {
  const snapshot = engine.snapshot();
  const pairs: [Uint8Array, Uint8Array][] = [];
  for await (const pair of engine.scan({ snapshot })) pairs.push(pair);
  const scanned = contentsOf(pairs);
  const sorted = [...keys].sort(Buffer.compare);
  const values = await engine.getMany(sorted, { snapshot });
  await snapshot.close();
  const got = sorted.flatMap((key, i): [Uint8Array, Uint8Array][] => {
    const value = values[i];
    return value === undefined ? [] : [[key, value]];
  });
  if (contentsOf(got) !== scanned) throw new Error("point reads differ from the scan");
  return scanned;
}

/** A copy that the script asked for: it must hold a state between the two marks. */
export interface Checkpoint {
  readonly at: string;
  readonly from: Mark;
  to: Mark | undefined;
}

interface SnapshotTaken {
  readonly snapshot: Snapshot;
  /** The contents that it must go on showing. */
  readonly contents: string;
}

export class Driver {
  readonly disk: MemoryDisk;
  readonly setup: Setup;
  readonly history: History;
  readonly seed: number;
  readonly checkpoints: Checkpoint[] = [];
  /** Everything that was refused, in order. */
  readonly errors: unknown[] = [];
  /** What an engine said that is wrong whatever the disk does. */
  readonly wrongs: string[] = [];
  #engine: LsmEngine | undefined;
  #owed: Promise<void>[] = [];
  #snapshots: SnapshotTaken[] = [];

  constructor(disk: MemoryDisk, setup: Setup, seed: number, history = new History()) {
    this.disk = disk;
    this.setup = setup;
    this.seed = seed;
    this.history = history;
  }

  get engine(): LsmEngine {
    if (this.#engine === undefined) throw new Error("the script has no open engine");
    return this.#engine;
  }

  get hasEngine(): boolean {
    return this.#engine !== undefined;
  }

  async open(): Promise<void> {
    await this.#attempt(async () => {
      this.#engine = await openEngine(this.disk, this.setup);
      if (this.errors.length > 0) await this.#findOut(this.#engine);
    });
  }

  /** The value tells by itself which write of which script made it. */
  valueOf(length: number): Buffer {
    const unit = this.history.issued + 1;
    const random = randomFrom(this.seed * 7919 + unit);
    const filler = Buffer.from(Array.from({ length }, () => pick(random, 256)));
    return Buffer.concat([Buffer.from(`${this.seed}/${unit}/`), filler]);
  }

  put(key: string, length: number, options: { sync?: boolean; ttlMs?: number } = {}): void {
    const change = { key: Buffer.from(key), value: this.valueOf(length) };
    this.#issue([change], options.sync, () => this.engine.put(change.key, change.value, options));
  }

  delete(key: string, options: { sync?: boolean } = {}): void {
    const change = { key: Buffer.from(key), value: undefined };
    this.#issue([change], options.sync, () => this.engine.delete(change.key, options));
  }

  /** Lengths by key; undefined deletes. */
  batch(
    lengths: readonly (readonly [string, number | undefined])[],
    options: { sync?: boolean } = {},
  ): void {
    const unit = lengths.map(([key, length]) => ({
      key: Buffer.from(key),
      value: length === undefined ? undefined : this.valueOf(length),
    }));
    const operations = unit.map(({ key, value }) =>
      value === undefined ? { type: "del" as const, key } : { type: "put" as const, key, value },
    );
    this.#issue(unit, options.sync, () => this.engine.batch(operations, options));
  }

  /** Waits for every answer that is owed. */
  async settle(): Promise<void> {
    await Promise.all(this.#owed.splice(0));
  }

  /** A flush makes durable what was asked for before. */
  async flush(): Promise<void> {
    await this.#promising(() => this.engine.flush());
  }

  async compact(): Promise<void> {
    await this.#promising(() => this.engine.compact());
  }

  async checkpoint(at: string): Promise<void> {
    const checkpoint: Checkpoint = { at, from: this.history.mark, to: undefined };
    this.checkpoints.push(checkpoint);
    await this.#attempt(async () => {
      await this.engine.checkpoint(at);
      checkpoint.to = this.history.mark;
    });
  }

  /** Takes a snapshot when nothing is on its way, so that its contents are known. */
  async snapshot(): Promise<void> {
    await this.settle();
    if (this.errors.length > 0) return;
    const { history } = this;
    const contents = history.contentsAfter(history.issued)!;
    this.#snapshots.push({ snapshot: this.engine.snapshot(), contents });
  }

  /** What the snapshots show now, for as long as reads go. */
  async checkSnapshots(): Promise<void> {
    for (const { snapshot, contents } of this.#snapshots) {
      await this.#attempt(async () => {
        const pairs: [Uint8Array, Uint8Array][] = [];
        for await (const pair of this.engine.scan({ snapshot })) pairs.push(pair);
        if (contentsOf(pairs) !== contents) this.wrongs.push("a snapshot shows another state");
        await snapshot.close();
      });
    }
    this.#snapshots = [];
  }

  /** What is read while the engine is open is a state between the acknowledged and the issued. */
  async checkReads(): Promise<void> {
    if (!this.hasEngine) return;
    await this.#attempt(async () => {
      const from = this.history.mark.seen;
      const contents = await contentsIn(this.engine, this.history.keys);
      const to = this.history.mark.issued;
      if (this.history.find(contents, { from, to }) < 0) {
        this.wrongs.push(`reads show no state between units ${from} and ${to}`);
      }
    });
  }

  async close(): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined) return;
    await this.#promising(() => engine.close());
    await this.settle();
    this.#engine = undefined;
  }

  /** Which of the units that were refused took effect after all is known once it is reopened. */
  async #findOut(engine: LsmEngine): Promise<void> {
    const { seen, issued } = this.history.mark;
    const contents = await contentsIn(engine, this.history.keys);
    const units = this.history.find(contents, { from: seen, to: issued });
    if (units < 0) this.wrongs.push(`reopening shows no state from ${seen} to ${issued} units`);
    else this.history.forgetAfter(units);
  }

  #issue(unit: readonly Change[], sync: boolean | undefined, call: () => Promise<void>): void {
    if (!this.hasEngine) return;
    const number = this.history.issue(unit);
    const durable = sync ?? this.setup.options.durability === "sync";
    const owed = call().then(
      () => this.history.acknowledge(number, { durable }),
      (error: unknown) => this.#refused(error),
    );
    this.#owed.push(owed);
  }

  /** A call after whose success everything issued before it is durable. */
  async #promising(call: () => Promise<void>): Promise<void> {
    const { issued } = this.history;
    const hadErrors = this.errors.length > 0;
    await this.#attempt(async () => {
      await call();
      if (!hadErrors && this.errors.length === 0) {
        this.history.acknowledge(issued, { durable: true });
      }
    });
  }

  async #attempt(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#refused(error);
    }
  }

  #refused(error: unknown): void {
    this.errors.push(error);
    if (error instanceof EngineError) return;
    const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.wrongs.push(`an error without a code: ${said}`);
  }
}
