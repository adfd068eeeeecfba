/**
 * Protocol state on an engine: takes StoreWork of the core and answers with StoreOutcomes. It
 * draws actors and dots, keeps each key's steps in order, the Merkle trees current and the hints
 * counted. How durable an answer is, is the setting of the engine it is given.
 *
 * `run` never throws and never calls back before it has returned; answers to different work may
 * come in any order, but what was answered `durable` is seen by every read that begins after it.
 */

import { assert, unreachable } from "../../native-free-engine/base/assert.ts";
import type { Engine } from "../../native-free-engine/index.ts";
import { stripped } from "../core/clock/floor.ts";
import { merge, noVersions, type Versions } from "../core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../core/event.ts";
import type { Actor, NodeId, Partition } from "../core/ids.ts";
import { type Key, partitionOf } from "../core/key.ts";
import { ClusterError } from "../errors.ts";
import { ActorTable } from "./actor-table.ts";
import { Census } from "./census.ts";
import { Cleanups } from "./cleanups.ts";
import { Copies } from "./copies.ts";
import { Flights } from "./flights.ts";
import { Floors } from "./floors.ts";
import { HintCounts } from "./hint-counts.ts";
import { Incarnations } from "./incarnations.ts";
import { keyIn, metaKey, own, rangeOfPartition } from "./keyspace.ts";
import { Answers, type Done, failureOf, isFatal, StoreError } from "./outcomes.ts";
import { Pages } from "./pages.ts";
import { Recount } from "./recount.ts";
import { checkFormat } from "./store-format.ts";
import { Trees } from "./trees.ts";
import { Writes } from "./writes.ts";

export interface StoreOptions {
  /** Opened and closed by the caller; used by nobody else meanwhile. */
  readonly engine: Engine;
  /** Of the ring: a power of two. */
  readonly partitions: number;
  /** 64 bits of time and chance, as 16 hex digits; never the same twice, in any process. */
  readonly newActor: () => Actor;
  /** Called once when the engine will take no more writes: the node must start again. */
  readonly onFatal?: (error: unknown) => void;
  /** Some of a partition, or of the hints, cannot be read. */
  readonly onDamage?: (partition: Partition | undefined, error: unknown) => void;
  /** Copies the whole directory under a name. Default: refused. */
  readonly checkpoint?: (
    name: string,
  ) => Promise<{ readonly path: string; readonly bytes: number }>;
  /** Bytes of hints kept for one target. Default 1 GiB. */
  readonly hintBytesMax?: number;
  /** The paper's truncation of vectors, which can forge conflicts. Default: none. */
  readonly vectorEntriesMax?: number;
}

type Work<K extends StoreWork["kind"]> = Extract<StoreWork, { kind: K }>;

/** Work that is answered by whoever does it, or at once. */
type Brief =
  | ("read" | "write" | "merge" | "keep-hints" | "drop-hints")
  | ("tree" | "occupied" | "renew-actor" | "survey-rounds" | "read-floor");

const hintBytesDefault = 1 << 30;
/** Keys of a partition that are removed at a time. */
const removedAtOnce = 256;
/** Hints are of no round: they count as older than each. */
const anyRound = 0;

export class Store {
  /** Partitions whose data is being removed. */
  readonly #dropping = new Set<Partition>();
  readonly #engine: Engine;
  readonly #partitions: number;
  readonly #answers = new Answers();
  readonly #incarnations: Incarnations;
  readonly #trees: Trees;
  readonly #census: Census;
  readonly #checkpoint: StoreOptions["checkpoint"];
  readonly #floors: Floors;
  readonly #cleanups: Cleanups;
  readonly #hints: HintCounts;
  readonly #copies: Copies;
  readonly #writes: Writes;
  readonly #pages: Pages;
  readonly #recount: Recount;
  /** Counted, and what a crash left to be cleaned up is on its way. */
  readonly #whole: Promise<void>;
  readonly #onFatal: (error: unknown) => void;
  #hasFailed = false;
  #isClosed = false;

  /** Rejects where the engine holds something else, or the store of a newer version. */
  static async open(options: StoreOptions): Promise<Store> {
    await checkFormat(options.engine);
    const { engine, partitions } = options;
    const actors = await ActorTable.load(engine);
    return new Store(options, actors, await Floors.load(engine, actors, partitions));
  }

  private constructor(options: StoreOptions, actors: ActorTable, floors: Floors) {
    const { engine, partitions, newActor, vectorEntriesMax } = options;
    const { onDamage = () => {}, onFatal = () => {} } = options;
    assert(Number.isInteger(Math.log2(partitions)), "partitions are a power of two");
    this.#engine = engine;
    this.#partitions = partitions;
    this.#onFatal = onFatal;
    this.#incarnations = new Incarnations(newActor, partitions);
    this.#trees = new Trees(partitions);
    this.#hints = new HintCounts(options.hintBytesMax ?? hintBytesDefault, partitions);
    this.#floors = floors;
    const decode = (record: Uint8Array): Versions => this.#copies.decode(record);
    this.#census = new Census(partitions);
    this.#checkpoint = options.checkpoint;
    const counted = { trees: this.#trees, census: this.#census, hints: this.#hints };
    const common = { engine, partitions, floors, decode, ...counted };
    const incarnations = this.#incarnations;
    const flights = new Flights((error) => this.#failed(error));
    const keepTimes = vectorEntriesMax !== undefined;
    this.#copies = new Copies({ ...common, actors, flights, keepTimes });
    const parts = { copies: this.#copies, incarnations, answers: this.#answers };
    this.#writes = new Writes({ ...common, ...parts, vectorEntriesMax });
    this.#pages = new Pages({
      ...common,
      treeOf: (partition) => this.#trees.treeOf(partition),
      floorOf: (partition) => floors.of(partition),
    });
    this.#recount = new Recount({ ...common, onDamage });
    this.#cleanups = new Cleanups({
      ...{ ...common, incarnations, writes: this.#writes },
      hintsCounted: this.#recount.hintsCounted,
      isClosed: () => this.#isClosed,
      onFailure: (error) => this.#failed(error),
    });
    this.#whole = this.#recount.done.then(() => this.#cleanups.resume());
  }

  /** Answers by `done`: a `write` twice, unless it failed first, everything else once. */
  run(work: StoreWork, done: Done): void {
    if (this.#isClosed) {
      this.#answers.give(done, failureOf(new StoreError("CLOSED", "the store is closed")));
      return;
    }
    try {
      this.#run(work, done);
    } catch (error) {
      this.#answers.give(done, failureOf(error));
    }
  }

  /** Resolves when hints are counted and all trees are made. */
  ready(): Promise<void> {
    return this.#recount.done;
  }

  /** Takes no more work; resolves when all that was begun is answered. The engine stays open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#recount.stop();
    await this.#whole;
    await this.#cleanups.idle();
    await this.#copies.idle();
  }

  #run(work: StoreWork, done: Done): void {
    switch (work.kind) {
      case "read":
        this.#read(work.key, work.targets, done);
        return;
      case "write":
        this.#writes.write(work, done);
        return;
      case "merge":
        this.#writes.merge(work, done);
        return;
      case "keep-hints":
        this.#writes.keepHints(work, done);
        return;
      case "drop-hints":
        this.#writes.dropHints(work, done);
        return;
      case "renew-actor":
        // It is this node's again: what is still there of it stays, and what comes must.
        this.#dropping.delete(work.partition);
        this.#incarnations.renew(work.partition, []);
        this.#answers.give(done, { kind: "durable" });
        return;
      case "tree":
        this.#answers.give(done, this.#trees.answer(work, this.#floors.of(work.partition).round));
        return;
      case "occupied":
        this.#answers.give(done, this.#trees.occupied(work.partition));
        return;
      case "survey-rounds":
        this.#answers.give(done, this.#cleanups.survey());
        return;
      case "read-floor":
        this.#answers.give(done, this.#cleanups.readFloor(work));
        return;
      default:
        this.#answerLater(this.#lengthy(work), done);
    }
  }

  #lengthy(work: Exclude<StoreWork, { kind: Brief }>): Promise<StoreOutcome> {
    switch (work.kind) {
      case "read-hints":
        return this.#pages.hints(work);
      case "count-hints":
        return this.#countHints();
      case "measure":
        return this.#measure();
      case "checkpoint":
        return this.#makeCheckpoint(work.name);
      case "leaf":
        return this.#pages.leaf(work);
      case "by-token":
        return this.#pages.byToken(work);
      case "list":
        return this.#pages.list(work);
      case "load-meta":
        return this.#loadMeta(work.name);
      case "save-meta":
        return this.#saveMeta(work);
      case "drop-partition":
        return this.#dropPartition(work.partition);
      case "cut":
        return this.#cleanups.cut(work);
      case "loose":
        return this.#cleanups.loose(work);
      case "promise":
        return this.#cleanups.promise(work);
      case "raise-floor":
        return this.#cleanups.raise(work);
      default:
        return unreachable(work);
    }
  }

  #read(key: Key, targets: readonly NodeId[], done: Done): void {
    const isOwn = targets.length === 0;
    const floor = this.#floors.of(partitionOf(key, this.#partitions));
    const round = isOwn ? floor.round : anyRound;
    const found = isOwn ? this.#copies.read(key, own) : this.#readHints(key, targets);
    found.then(
      (held) => {
        const versions = isOwn ? stripped(held, floor) : held;
        this.#answers.give(done, { kind: "versions", versions, round });
      },
      (error: unknown) => this.#answers.give(done, failureOf(error)),
    );
  }

  async #readHints(key: Key, targets: readonly NodeId[]): Promise<Versions> {
    let versions = noVersions;
    for (const target of targets) versions = merge(versions, await this.#copies.read(key, target));
    return versions;
  }

  /** All there is, hints too: to tell data alone, a memtable would have to be sorted. */
  async #measure(): Promise<StoreOutcome> {
    const { levels, memtableBytes } = this.#engine.stats();
    return {
      kind: "measured",
      bytes: levels.reduce((sum, { bytes }) => sum + bytes, memtableBytes),
    };
  }

  /** What was acknowledged is in it: the copy begins with all that was written so far. */
  async #makeCheckpoint(name: string): Promise<StoreOutcome> {
    if (this.#checkpoint === undefined) {
      throw new ClusterError("INVALID_ARGUMENT", "this node makes no checkpoints");
    }
    const made = await this.#checkpoint(name);
    let keys = 0;
    for (let partition = 0; partition < this.#partitions; partition++) {
      keys += this.#census.of(partition).keys;
    }
    return { kind: "checkpointed", ...made, keys };
  }

  async #countHints(): Promise<StoreOutcome> {
    await this.#recount.hintsCounted;
    return { kind: "counts", hints: this.#hints.list() };
  }

  async #loadMeta(name: string): Promise<StoreOutcome> {
    return { kind: "meta", bytes: await this.#engine.get(metaKey(name)) };
  }

  /** Votes and epochs must survive a power cut, however much of the data may not. */
  async #saveMeta({ name, bytes }: Work<"save-meta">): Promise<StoreOutcome> {
    try {
      await this.#engine.put(metaKey(name), bytes, { sync: true });
    } catch (error) {
      this.#failed(error);
      throw error;
    }
    return { kind: "durable" };
  }

  /** Ends early when the node becomes a holder of the partition again. */
  async #dropPartition(partition: Partition): Promise<StoreOutcome> {
    this.#dropping.add(partition);
    this.#incarnations.renew(partition, []);
    const isMeant = (): boolean => this.#dropping.has(partition);
    const range = rangeOfPartition(partition, this.#partitions);
    const scan = this.#engine.scan({ ...range, values: false });
    try {
      while (isMeant()) {
        const pairs = await scan.nextMany(removedAtOnce);
        const keys = pairs
          .map(([engineKey]) => keyIn(engineKey))
          .filter((key) => key !== undefined);
        const failure = await new Promise((resolve) => this.#writes.remove(keys, isMeant, resolve));
        if (failure !== undefined) return failureOf(failure);
        if (pairs.length < removedAtOnce) break;
      }
      if (isMeant()) await this.#floors.forget(partition);
    } finally {
      this.#dropping.delete(partition);
      await scan.close();
    }
    this.#incarnations.renew(partition, []);
    return { kind: "durable" };
  }

  #answerLater(answer: Promise<StoreOutcome>, done: Done): void {
    answer.then(
      (outcome) => this.#answers.give(done, outcome),
      (error: unknown) => this.#answers.give(done, failureOf(error)),
    );
  }

  #failed(error: unknown): void {
    if (this.#hasFailed || !isFatal(error)) return;
    this.#hasFailed = true;
    this.#onFatal(error);
  }
}
