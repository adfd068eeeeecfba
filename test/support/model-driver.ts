/**
 * An engine and the oracle beside it. Operations (model-operations.ts) do a thing to both and
 * compare; what stays open between operations (snapshots, scans, readers) lives here.
 */
import type { Engine, Pair, Scan, Snapshot } from "../../native-free-engine/api.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { openOn } from "../../native-free-engine/open.ts";
import { verifyOn } from "../../native-free-engine/verify.ts";
import { ModelClock } from "./model-clock.ts";
import {
  applied,
  bytesOf,
  type Change,
  pairsIn,
  type ScanAsked,
  type Sight,
  type State,
  shown,
  textOf,
  valueIn,
} from "./model-oracle.ts";
import type { Preset } from "./model-presets.ts";
import { pick } from "./random.ts";

export const home = "/db";
const opensMax = 4;

export interface OpenScan {
  readonly scan: Scan;
  readonly asked: ScanAsked;
  /** What it may still yield, in its direction, before its limit. */
  rest: readonly [string, Uint8Array][];
  /** All within its bounds, for seeks. */
  readonly all: readonly [string, Uint8Array][];
  left: number;
}

/** A write that was asked for. */
export interface Issued {
  readonly changes: readonly Change[];
  readonly promise: Promise<void>;
  readonly sync: boolean;
}

export class ModelDriver {
  readonly preset: Preset;
  readonly clock = new ModelClock();
  disk = new MemoryDisk();
  engine!: Engine;
  /** What every acknowledged write adds up to. */
  state: State = new Map();
  /** What a power cut cannot take away, and what came after it. */
  #durable: State = new Map();
  #since: (readonly Change[])[] = [];
  readonly snapshots: { readonly snapshot: Snapshot; readonly sight: Sight }[] = [];
  readonly scans: OpenScan[] = [];
  readonly readers: { readonly engine: Engine; readonly state: State }[] = [];
  readonly asides: Promise<unknown>[] = [];
  /** Answers held on to: they must not change. */
  #kept: (readonly [Uint8Array, Uint8Array])[] = [];
  #directories = 0;

  constructor(preset: Preset) {
    this.preset = preset;
  }

  async open(): Promise<void> {
    this.#slow();
    this.engine = await this.openAt(home, {});
  }

  openAt(directory: string, extra: { readonly readOnly?: boolean }): Promise<Engine> {
    const { disk, clock, preset } = this;
    const workers = inlineWorkers(disk, clock);
    const context = {
      memoryBytes: 1 << 26,
      newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }),
      ...(preset.tuning === undefined ? {} : { tuning: preset.tuning }),
    };
    return openOn({ disk, clock, workers }, directory, { ...preset.options, ...extra }, context);
  }

  /** What a read without a snapshot sees now. */
  get present(): Sight {
    return { state: this.state, time: this.clock.now() };
  }

  /** A write was acknowledged. */
  acknowledge({ changes, sync }: Issued): void {
    this.state = applied(this.state, changes);
    this.#since.push(changes);
    if (sync || this.preset.options.durability === "sync") this.markDurable();
  }

  markDurable(): void {
    this.#durable = this.state;
    this.#since = [];
  }

  /** Waits for what runs beside; it may have been cut off by a close. */
  async settleAsides(): Promise<void> {
    for (const result of await Promise.allSettled(this.asides.splice(0))) {
      if (result.status === "fulfilled") continue;
      const code = (result.reason as { code?: unknown } | undefined)?.code;
      if (code !== "CLOSED") throw result.reason;
    }
  }

  async reopen(unawaited: readonly Issued[]): Promise<void> {
    await this.#closeReaders();
    await this.engine.close();
    for (const issued of unawaited) {
      await issued.promise;
      this.acknowledge(issued);
    }
    await this.settleAsides();
    this.markDurable();
    await this.#afterClose();
    await this.open();
    await this.compareAll();
  }

  /**
   * The process or the machine dies; `unanswered` writes were on their way. What is there next is
   * everything that counted, and of the rest, in order, some.
   */
  async crash(
    how: { readonly survival: number; readonly random: () => number },
    unanswered: readonly Issued[],
  ): Promise<void> {
    const left = this.disk.crash(how);
    const kill = how.survival === 1;
    await this.#closeReaders();
    await Promise.allSettled([...unanswered.map((issued) => issued.promise), this.engine.close()]);
    await this.settleAsides();
    this.disk = left;
    await this.#afterClose();
    await this.open();
    const after = unanswered.map((issued) => issued.changes);
    await this.#adopt(kill ? this.state : this.#durable, kill ? after : [...this.#since, ...after]);
    await this.compareAll();
  }

  /** Takes over the state that recovery found, which must be the base and a prefix of the rest. */
  async #adopt(base: State, rest: readonly (readonly Change[])[]): Promise<void> {
    const found = new Map<string, Uint8Array>();
    for await (const [key, value] of this.engine.scan()) found.set(textOf(key), value);
    const time = this.clock.now();
    const candidates: State[] = [];
    for (let state = base, k = 0; ; state = applied(state, rest[k++]!)) {
      if (isSame(pairsIn({ state, time }, {}), found)) candidates.push(state);
      if (k === rest.length) break;
    }
    const chosen = candidates.at(-1);
    if (chosen === undefined) {
      const wanted = new Map(pairsIn({ state: base, time }, {}));
      const differ = [...new Set([...wanted.keys(), ...found.keys()])].filter(
        (key) => shown(wanted.get(key)) !== shown(found.get(key)),
      );
      const lines = differ.map(
        (k) => `${shown(k)}: ${shown(wanted.get(k))} → ${shown(found.get(k))}`,
      );
      const against = `against the base:\n${lines.join("\n")}`;
      throw new Error(`no prefix of ${rest.length} writes explains what is left; ${against}`);
    }
    this.state = chosen;
    this.markDurable();
    // States that look the same now may part when something expires: make them one.
    const doubtful = new Set<string>();
    for (const other of candidates) {
      for (const key of new Set([...other.keys(), ...chosen.keys()])) {
        if (other.get(key)?.expiry !== chosen.get(key)?.expiry) doubtful.add(key);
      }
    }
    for (const key of doubtful) {
      const promise = this.engine.delete(bytesOf(key), { sync: true });
      await promise;
      this.acknowledge({ changes: [{ key, stored: undefined }], promise, sync: true });
    }
  }

  async compareAll(): Promise<void> {
    const { engine, present } = this;
    await this.compareWith(engine, present);
    for (const reader of this.readers) {
      await this.compareWith(reader.engine, { state: reader.state, time: this.clock.now() });
    }
    for (const { snapshot, sight } of this.snapshots) {
      const pairs: Pair[] = [];
      for await (const pair of engine.scan({ snapshot })) pairs.push(pair);
      this.expectPairs(pairs, pairsIn(sight, {}), "scan of a snapshot");
    }
    for (const [actual, wanted] of this.#kept) {
      this.expectValue(actual, wanted, "a value that was handed out earlier");
    }
  }

  /** Everything, in both directions and one by one. */
  async compareWith(engine: Engine, sight: Sight): Promise<void> {
    const wanted = pairsIn(sight, {});
    const forward: Pair[] = [];
    for await (const pair of engine.scan()) forward.push(pair);
    this.expectPairs(forward, wanted, "full scan");
    const backward: Pair[] = [];
    for await (const pair of engine.scan({ reverse: true })) backward.push(pair);
    this.expectPairs(backward, [...wanted].reverse(), "full scan backward");
    const keys = [...sight.state.keys()];
    const values = await engine.getMany(keys.map(bytesOf));
    for (const [i, key] of keys.entries()) {
      this.expectValue(values[i], valueIn(sight, key), `getMany of everything, ${shown(key)}`);
    }
  }

  async verify(): Promise<void> {
    const report = await verifyOn(this.disk, home);
    if (!report.ok) throw new Error(`verify: ${JSON.stringify(report.problems)}`);
  }

  expectValue(actual: Uint8Array | undefined, wanted: Uint8Array | undefined, what: string): void {
    const same =
      actual === undefined || wanted === undefined
        ? actual === wanted
        : Buffer.compare(actual, wanted) === 0;
    if (!same) throw new Error(`${what}: got ${shown(actual)}, want ${shown(wanted)}`);
  }

  expectPairs(
    actual: readonly Pair[],
    wanted: readonly (readonly [string, Uint8Array])[],
    what: string,
  ): void {
    for (let i = 0; i < Math.max(actual.length, wanted.length); i++) {
      const key = actual[i] === undefined ? undefined : textOf(actual[i]![0]);
      const want = wanted[i];
      if (key !== want?.[0]) {
        throw new Error(`${what}: key ${i} is ${shown(key)}, want ${shown(want?.[0])}`);
      }
      this.expectValue(actual[i]![1], want![1], `${what}: value ${i}, of ${shown(key)}`);
    }
  }

  /** Holds on to an answer, to see later that nobody wrote over it. */
  keep(actual: Uint8Array, wanted: Uint8Array): void {
    this.#kept.push([actual, wanted]);
    if (this.#kept.length > 200) this.#kept = this.#kept.slice(-100);
  }

  /** A name that was never used: after a power cut, names that were removed may be back. */
  freshDirectory(): string {
    this.#directories += 1;
    return `/copy-${this.#directories}`;
  }

  makeRoomIn(list: readonly unknown[]): boolean {
    return list.length < opensMax;
  }

  anyOf<T>(list: readonly T[], random: () => number): T | undefined {
    return list[pick(random, list.length)];
  }

  async end(): Promise<void> {
    await this.compareAll();
    await this.reopen([]);
    await this.engine.close();
    await this.verify();
  }

  async #closeReaders(): Promise<void> {
    for (const { engine } of this.readers.splice(0)) await engine.close();
  }

  /** A closed engine's scans and snapshots are of no use, and closing them does no harm. */
  async #afterClose(): Promise<void> {
    for (const { scan } of this.scans.splice(0)) await scan.close();
    for (const { snapshot } of this.snapshots.splice(0)) await snapshot.close();
  }

  #slow(): void {
    if (this.preset.slowReadMs !== undefined)
      this.disk.slowReads(this.preset.slowReadMs, this.clock);
  }
}

function isSame(wanted: readonly [string, Uint8Array][], found: ReadonlyMap<string, Uint8Array>) {
  if (wanted.length !== found.size) return false;
  return wanted.every(([key, value]) => {
    const other = found.get(key);
    return other !== undefined && Buffer.compare(value, other) === 0;
  });
}
