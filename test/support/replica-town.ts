/**
 * Nodes that hold copies and nothing else: the machines of handoff, anti-entropy, transfers and
 * standing over memory stores, on a network of the test's own. Messages cross as bytes, so no
 * object is shared.
 */
import { type Change, contextOf, emptyContext, write } from "../../src/core/clock/versions.ts";
import type { Notice, Out, StoreOutcome } from "../../src/core/event.ts";
import { Handoff, handoffDefaults } from "../../src/core/handoff.ts";
import type { NodeId, Partition } from "../../src/core/ids.ts";
import { type Key, keyOf } from "../../src/core/key.ts";
import type { Entry, Message } from "../../src/core/message.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";
import { Standing, standingDefaults } from "../../src/core/standing.ts";
import { Exchanges, exchangeDefaults } from "../../src/core/sync/exchange.ts";
import { Departed, departedDefaults } from "../../src/core/transfer/departed.ts";
import { Filled } from "../../src/core/transfer/filled.ts";
import {
  Transfers,
  type TransferTuning,
  transferDefaults,
} from "../../src/core/transfer/transfers.ts";
import type { LivenessView } from "../../src/core/views.ts";
import { decodeFrame, FrameWriter } from "../../src/core/wire/codec.ts";
import { MemoryStore } from "./memory-store.ts";

export interface TownOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly n?: number;
  readonly partitions?: number;
  /** Chances in a hundred. */
  readonly loss?: number;
  readonly repeat?: number;
  readonly delayMsMax?: number;
  readonly transfers?: Partial<TransferTuning>;
}

interface Life {
  readonly exchanges: Exchanges;
  readonly handoff: Handoff;
  readonly standing: Standing;
  readonly transfers: Transfers;
  readonly filled: Filled;
  readonly departed: Departed;
}

interface House {
  readonly id: NodeId;
  ring: Ring;
  store: MemoryStore;
  started: number;
  life: Life | undefined;
}

interface Letter {
  readonly at: number;
  readonly to: NodeId;
  readonly open: () => void;
}

export class Town {
  now = 1_000_000;
  readonly random: Random;
  readonly notices: { readonly node: NodeId; readonly notice: Notice }[] = [];
  /** Every message as sent, with the bytes that it took. */
  readonly sent: { from: NodeId; to: NodeId; message: Message; bytes: number }[] = [];
  share = 1;
  loss: number;
  /** Links that pass nothing, as "from>to". */
  readonly cuts = new Set<string>();
  /** Epochs that nodes say they are in, where that is not the one they are in. */
  readonly epochs = new Map<NodeId, number>();
  readonly #options: Required<TownOptions>;
  readonly #houses = new Map<NodeId, House>();
  #mail: Letter[] = [];
  #counter = 0;
  /** Makes an actor new: one that lost its writes must never be used again. */
  #wipes = 0;

  constructor(options: TownOptions) {
    const full = {
      n: 3,
      partitions: 4,
      loss: 0,
      repeat: 0,
      delayMsMax: 5,
      transfers: {},
      ...options,
    };
    this.#options = full;
    this.loss = full.loss;
    this.random = seededRandom(full.seed);
    const ids = Array.from({ length: full.nodes }, (_, i) => i + 1);
    const state = stateOf(ids, full.n, full.partitions);
    for (const id of ids) this.#settle(id, state);
  }

  #settle(id: NodeId, state: RingState): void {
    const store = new MemoryStore(this.#options.partitions);
    this.#houses.set(id, { id, ring: new Ring(state, id), store, started: 0, life: undefined });
  }

  get ids(): readonly NodeId[] {
    return [...this.#houses.keys()];
  }

  store(id: NodeId): MemoryStore {
    return this.#house(id).store;
  }

  life(id: NodeId): Life {
    const { life } = this.#house(id);
    if (life === undefined) throw new Error(`node ${id} is down`);
    return life;
  }

  isUp(id: NodeId): boolean {
    return this.#house(id).life !== undefined;
  }

  get state(): RingState {
    return this.#house(1).ring.state;
  }

  start(...ids: readonly NodeId[]): void {
    for (const id of ids.length === 0 ? this.ids : ids) {
      const house = this.#house(id);
      house.started = this.now;
      house.life = this.#live(house);
      house.life.standing.start(this.now);
    }
  }

  stop(id: NodeId): void {
    this.#house(id).life = undefined;
  }

  wipe(id: NodeId): void {
    this.#wipes += 1;
    this.#house(id).store = new MemoryStore(this.#options.partitions);
  }

  /** Every node learns of a new ring; numbers unknown so far become new houses. */
  change(change: (state: RingState) => Partial<RingState>): void {
    const state = { ...this.state, epoch: this.state.epoch + 1, ...change(this.state) };
    for (const { id } of state.members) if (!this.#houses.has(id)) this.#settle(id, state);
    for (const house of this.#houses.values()) {
      house.ring = new Ring(state, house.id);
      house.life?.standing.ringChanged(this.now);
    }
  }

  /** A write by the actor of `at`, over what it holds, that comes to be at these nodes only. */
  put(at: NodeId, key: Key, value: string | undefined, nodes: readonly NodeId[] = [at]): Entry {
    const held = this.store(at).versionsOf(key);
    const change: Change = {
      operation: { at: this.now, nonce: ++this.#counter, retried: false },
      time: this.now,
      expiresAt: 0,
      value: value === undefined ? undefined : Buffer.from(value),
    };
    const isBlind = this.random.below(4) === 0;
    const actor = (this.#wipes * 256 + at).toString(16).padStart(16, "0");
    const dot = { actor, counter: this.#counter };
    const context = isBlind ? emptyContext : contextOf(held);
    const entry = { key, versions: write(held, context, dot, change).versions };
    for (const node of nodes) this.store(node).join(entry);
    return entry;
  }

  run(ms: number, isDone: () => boolean = () => false): void {
    for (const end = this.now + ms; this.now < end && !isDone(); ) {
      this.now += 10;
      for (const { life } of this.#houses.values()) {
        life?.standing.tick(this.now);
        life?.handoff.tick(this.now);
        life?.transfers.tick(this.now);
        life?.exchanges.tick(this.now);
        life?.departed.tick(this.now);
      }
      // What an event leads to at once (the store's answers) comes before the next tick.
      for (let due = this.#due(); due.length > 0; due = this.#due()) {
        for (const { open } of due) open();
      }
    }
  }

  #due(): readonly Letter[] {
    const due = this.#mail.filter(({ at }) => at <= this.now);
    this.#mail = this.#mail.filter(({ at }) => at > this.now);
    return due.sort((a, b) => a.at - b.at);
  }

  #live(house: House): Life {
    const { id } = house;
    const out: Out = {
      send: (to, message) => this.#send(house, to, message),
      store: (work, then) => this.#store(house, () => house.store.run(work), then),
      notice: (notice) => this.notices.push({ node: id, notice }),
    };
    const liveness: LivenessView = {
      isLive: (node) => node === id || this.#isReachable(id, node),
      latencyMs: () => 1,
      late: () => false,
      answered: () => {},
      missed: () => {},
    };
    const random = seededRandom(this.#options.seed * 100 + id + this.now);
    const common = { self: id, out, random, liveness, ring: () => house.ring };
    const share = (): number => this.share;
    const standing = new Standing({
      ...{ ...common, started: house.started },
      tuning: standingDefaults,
      epochOf: (node) => this.epochs.get(node) ?? this.#houses.get(node)?.ring.state.epoch,
    });
    const tuning = { ...transferDefaults, ...this.#options.transfers };
    const transfers = new Transfers({ ...common, standing, share, tuning });
    const filling = {
      of: (partition: Partition) => standing.of(partition),
      fillings: () => transfers.streamed(),
      visited: (partition: Partition, peer: NodeId, begunAt: number): void =>
        standing.visited(partition, peer, begunAt),
    };
    const exchanges = new Exchanges({
      ...{ ...common, share },
      standing: filling,
      tuning: exchangeDefaults,
      onRound: () => {},
    });
    const filled = new Filled({ ...common, standing, isGiven: (p) => departed.isGiven(p) });
    const departed: Departed = new Departed({
      ...common,
      tuning: departedDefaults,
      isFilled: (now, node, partition) => filled.isFilled(now, node, partition),
      askFilled: (node, partitions) => filled.ask(node, partitions),
      give: (_now, pair, done) => exchanges.give(pair, done),
    });
    const handoff = new Handoff({
      ...common,
      share,
      tuning: handoffDefaults,
      startedOf: (node) => this.#houses.get(node)?.started,
      onNoHints: (now, from, since) => standing.noHints(now, from, since),
    });
    return { exchanges, handoff, standing, transfers, filled, departed };
  }

  #isReachable(from: NodeId, to: NodeId): boolean {
    const isCut = this.cuts.has(`${from}>${to}`) || this.cuts.has(`${to}>${from}`);
    return !isCut && this.#houses.get(to)?.life !== undefined;
  }

  #store(
    house: House,
    run: () => StoreOutcome,
    then: (outcome: StoreOutcome, now: number) => void,
  ): void {
    const { life } = house;
    const outcome = run();
    const at = this.now + this.random.below(3) * 5;
    const open = (): void => {
      if (house.life === life) then(outcome, this.now);
    };
    this.#mail.push({ at, to: house.id, open });
  }

  #send(house: House, to: NodeId, message: Message): void {
    const writer = new FrameWriter();
    if (!writer.add(message)) throw new Error("no frame holds the message");
    for (const bytes of writer.take()) {
      this.sent.push({ from: house.id, to, message, bytes: bytes.length });
      const copies = this.random.below(100) < this.#options.repeat ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        if (this.random.below(100) < this.loss) continue;
        const at = this.now + 1 + this.random.below(this.#options.delayMsMax);
        this.#mail.push({ at, to, open: () => this.#deliver(house.id, to, bytes) });
      }
    }
  }

  #deliver(from: NodeId, to: NodeId, bytes: Uint8Array): void {
    const life = this.#houses.get(to)?.life;
    if (life === undefined || this.cuts.has(`${from}>${to}`)) return;
    const frame = decodeFrame(bytes);
    if (frame.kind === "invalid") throw new Error(`a frame of ours is invalid: ${frame.why}`);
    for (const message of frame.messages) {
      if (message.kind.startsWith("tree-"))
        life.exchanges.receive(this.now, from, message as never);
      else if (message.kind.startsWith("transfer-"))
        life.transfers.receive(this.now, from, message as never);
      else if (message.kind.startsWith("filled"))
        life.filled.receive(this.now, from, message as never);
      else life.handoff.receive(this.now, from, message as never);
    }
  }

  #house(id: NodeId): House {
    const house = this.#houses.get(id);
    if (house === undefined) throw new Error(`there is no node ${id}`);
    return house;
  }
}

export function keyNumber(number: number): Key {
  return keyOf("", Buffer.from(`key ${number}`));
}

/** The first keys of one partition. */
export function keysIn(partition: Partition, partitions: number, count: number): readonly Key[] {
  const keys: Key[] = [];
  for (let number = 0; keys.length < count; number++) {
    const key = keyNumber(number);
    if (Math.floor(key.high / (2 ** 32 / partitions)) === partition) keys.push(key);
  }
  return keys;
}

export function memberOf(id: NodeId): Member {
  return { id, address: `n${id}:7400`, dc: "dc1", rack: "r1", weight: 1, state: "member" };
}

function stateOf(ids: readonly NodeId[], n: number, partitions: number): RingState {
  const owners = Array.from({ length: partitions }, (_, partition) =>
    ids.slice(0, n).map((_id, i) => ids[(partition + i) % ids.length]!),
  );
  const members = ids.map(memberOf);
  return {
    clusterId: "5eed".repeat(8),
    generation: 1,
    epoch: 1,
    n,
    members,
    owners,
    moves: [],
    buckets: [],
    staged: [],
  };
}
