/**
 * Members that agree on epochs, over a network and disks of the test's own: messages are lost,
 * doubled and reordered, saves take time, a crash loses those under way. Every state that takes
 * force, and every vote that becomes durable, is held against all others of its epoch.
 */
import type { Out, StoreOutcome, StoreWork } from "../../src/core/event.ts";
import { Epochs } from "../../src/core/members/epochs.ts";
import { type Change, votersOf } from "../../src/core/members/proposer.ts";
import { compareBallots, decodeVote } from "../../src/core/members/vote.ts";
import type { EpochMessage, Failed, Message } from "../../src/core/message.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { checkRing } from "../../src/core/ring/check-ring.ts";
import { plan } from "../../src/core/ring/planner.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";
import { decodeRing, encodeRing } from "../../src/core/wire/ring.ts";

export const clusterId = "5eed".repeat(8);
const tickMs = 10;

export function memberOf(id: number, more: Partial<Member> = {}): Member {
  const address = `n${id}:7400`;
  return { id, address, dc: "dc1", rack: "r1", weight: 1, state: "member", ...more };
}

/** A ring that these members own already. */
export function ringOf(members: readonly Member[], partitions = 8, n = 3): RingState {
  const empty = Array.from({ length: partitions }, () => []);
  const owners = plan(members, n, empty);
  return {
    clusterId,
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

interface Seat {
  readonly id: number;
  readonly meta: Map<string, Uint8Array>;
  state: RingState;
  epochs: Epochs | undefined;
  life: number;
  /** Saves end one after the other. */
  savedUntil: number;
}

export interface CouncilOptions {
  readonly seed: number;
  readonly members: number;
  readonly loss?: number;
  readonly repeat?: number;
  readonly delayMsMax?: number;
  readonly saveMsMax?: number;
  /** Whether decided newcomers take a seat. */
  readonly seatsNewcomers?: boolean;
}

export class Council {
  now = 1_000;
  readonly random: Random;
  readonly seats = new Map<number, Seat>();
  /** By generation and epoch, every state that took force anywhere. */
  readonly history = new Map<string, RingState>();
  readonly notices: string[] = [];
  readonly faults: string[] = [];
  messages = 0;
  loss: number;
  failsSaves: (seat: number, name: string) => boolean = () => false;
  isCut: (from: number, to: number) => boolean = () => false;
  readonly #options: Required<CouncilOptions>;
  readonly #events: { at: number; run: () => void }[] = [];
  readonly #ballots = new Map<string, number>();
  readonly #accepted = new Map<string, Map<string, Set<number>>>();

  constructor(options: CouncilOptions) {
    const filled = { loss: 0, repeat: 0, delayMsMax: 5, saveMsMax: 5, seatsNewcomers: true };
    this.#options = { ...filled, ...options };
    this.loss = this.#options.loss;
    this.random = seededRandom(options.seed);
    const ids = Array.from({ length: options.members }, (_, i) => i + 1);
    const state = ringOf(ids.map((id) => memberOf(id)));
    this.history.set(nameOf(state), state);
    for (const id of ids) this.seat(id, state);
  }

  get live(): readonly Seat[] {
    return [...this.seats.values()].filter(({ epochs }) => epochs !== undefined);
  }

  get newest(): RingState {
    const epochOf = ({ generation, epoch }: RingState): number => generation * 1e6 + epoch;
    return [...this.history.values()].reduce((a, b) => (epochOf(b) > epochOf(a) ? b : a));
  }

  seat(id: number, state: RingState): void {
    const meta = new Map([["ring", encodeRing(state)]]);
    this.seats.set(id, { id, meta, state, epochs: undefined, life: 0, savedUntil: 0 });
    this.start(id);
  }

  start(id: number): void {
    const seat = this.#seat(id);
    const saved = seat.meta.get("ring");
    const state = saved === undefined ? undefined : decodeRing(saved);
    if (state === undefined) throw new Error(`seat ${id} has no ring`);
    seat.state = state;
    seat.life += 1;
    seat.savedUntil = this.now;
    seat.epochs = new Epochs({
      knowsItself: () => true,
      self: id,
      out: this.#outOf(seat),
      random: seededRandom(this.#options.seed * 1_000 + id * 10 + seat.life),
      ring: () => new Ring(seat.state, id),
      encode: encodeRing,
      decode: decodeRing,
      onDecided: (next) => this.#installed(seat, next),
    });
    seat.epochs.start(this.now);
  }

  crash(id: number): void {
    const seat = this.#seat(id);
    seat.epochs = undefined;
    seat.life += 1;
  }

  /** What became of it; nothing when the node crashes before it knows. */
  propose(id: number, change: Change, timeoutMs = 5_000): { outcome?: RingState | Failed } {
    const box: { outcome?: RingState | Failed } = {};
    const done = (outcome: RingState | Failed): void => {
      if (box.outcome !== undefined) this.faults.push("a proposal ended twice");
      box.outcome = outcome;
    };
    this.#seat(id).epochs?.propose(this.now, change, done, timeoutMs);
    return box;
  }

  receive(id: number, from: number, message: EpochMessage): void {
    this.#seat(id).epochs?.receive(this.now, from, message);
  }

  run(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now += tickMs;
      const due = this.#events.filter(({ at }) => at <= this.now).sort((a, b) => a.at - b.at);
      for (const event of due) {
        this.#events.splice(this.#events.indexOf(event), 1);
        event.run();
      }
      for (const { epochs } of this.live) epochs?.tick(this.now);
      if (this.now % 1_000 === 0) this.#gossip();
    }
  }

  /** Everybody hears which epoch everybody is in, as heartbeats would say. */
  #gossip(): void {
    for (const { id: from, state } of this.live) {
      for (const { id: to, epochs } of this.live) {
        if (from === to || this.isCut(from, to) || this.#happens(this.loss)) continue;
        epochs?.seen(this.now, from, state.epoch);
      }
    }
  }

  #outOf(seat: Seat): Out {
    const { life } = seat;
    return {
      send: (to, message) => {
        if (seat.life !== life) return;
        this.#watch(seat, message as EpochMessage);
        this.#send(seat.id, to, message);
      },
      store: (work, then) => this.#store(seat, work, then),
      notice: (notice) => {
        if (notice.kind === "refused") this.notices.push(`${notice.what}: ${notice.why}`);
      },
    };
  }

  /** No ballot serves two lives of a node, and no answer goes out before its vote is durable. */
  #watch(seat: Seat, message: EpochMessage): void {
    if (message.kind === "prepare") {
      const { epoch, ballot } = message;
      const name = `${epoch}/${ballot.round}.${ballot.node}`;
      const life = this.#ballots.get(name) ?? seat.life;
      if (life !== seat.life) this.faults.push(`ballot ${name} is used again after a crash`);
      this.#ballots.set(name, life);
    } else if (message.kind === "promise" || message.kind === "accepted") {
      const bytes = seat.meta.get("vote");
      const vote = bytes === undefined ? undefined : decodeVote(bytes, decodeRing);
      const ballot = message.kind === "promise" ? vote?.promised : vote?.accepted?.ballot;
      const isLater = vote !== undefined && vote.epoch > message.epoch;
      const isBehind = ballot === undefined || compareBallots(ballot, message.ballot) < 0;
      if (!isLater && isBehind) this.faults.push(`node ${seat.id} told a vote before it was safe`);
    }
  }

  #send(from: number, to: number, message: Message): void {
    this.messages += 1;
    const copies = this.#happens(this.#options.repeat) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.#happens(this.loss)) continue;
      this.#after(this.random.below(this.#options.delayMsMax + 1), () => {
        const target = this.seats.get(to)?.epochs;
        if (!this.isCut(from, to)) target?.receive(this.now, from, message as EpochMessage);
      });
    }
  }

  #store(seat: Seat, work: StoreWork, then: (outcome: StoreOutcome, now: number) => void): void {
    const { life } = seat;
    const answer = (outcome: StoreOutcome): void => {
      if (seat.life === life) then(outcome, this.now);
    };
    if (work.kind === "load-meta") {
      const bytes = seat.meta.get(work.name);
      this.#after(1, () => answer({ kind: "meta", bytes }));
    } else if (work.kind === "save-meta") {
      const took = this.random.below(this.#options.saveMsMax + 1);
      seat.savedUntil = Math.max(seat.savedUntil, this.now) + took;
      this.#after(seat.savedUntil - this.now, () => {
        if (seat.life !== life) return;
        if (this.failsSaves(seat.id, work.name)) {
          answer({ kind: "failed", code: "IO", message: "no disk", applied: "no" });
          return;
        }
        seat.meta.set(work.name, work.bytes);
        if (work.name === "vote") this.#voted(seat, work.bytes);
        answer({ kind: "durable" });
      });
    }
  }

  #installed(seat: Seat, state: RingState): void {
    seat.state = state;
    this.#compare(state, `node ${seat.id}`);
    for (const fault of checkRing(state)) this.faults.push(`epoch ${state.epoch}: ${fault}`);
    const saved = seat.meta.get("ring");
    const savedEpoch = saved === undefined ? 0 : (decodeRing(saved)?.epoch ?? 0);
    if (savedEpoch < state.epoch) this.faults.push(`epoch ${state.epoch} is not durable`);
    if (!this.#options.seatsNewcomers) return;
    for (const { id } of state.members) if (!this.seats.has(id)) this.seat(id, state);
  }

  /** What a majority of durable votes accepted under one ballot is decided, whoever knows it. */
  #voted(seat: Seat, bytes: Uint8Array): void {
    const vote = decodeVote(bytes, decodeRing);
    if (vote?.accepted === undefined) return;
    const { ballot, state } = vote.accepted;
    const before = this.history.get(`${vote.generation}/${vote.epoch - 1}`);
    if (before === undefined) return;
    const key = `${vote.generation}/${vote.epoch}/${ballot.round}.${ballot.node}`;
    const byState = this.#accepted.get(key) ?? new Map<string, Set<number>>();
    this.#accepted.set(key, byState);
    const text = JSON.stringify(state);
    const voters = byState.get(text) ?? new Set();
    byState.set(text, voters.add(seat.id));
    if (byState.size > 1) this.faults.push(`two states under ballot ${key}`);
    if (voters.size > votersOf(before).length / 2) this.#compare(state, `votes under ${key}`);
  }

  #compare(state: RingState, whose: string): void {
    const known = this.history.get(nameOf(state));
    if (known === undefined) this.history.set(nameOf(state), state);
    else if (JSON.stringify(known) !== JSON.stringify(state)) {
      this.faults.push(`${whose}: another state for epoch ${nameOf(state)}`);
    }
  }

  #after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, run });
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.random.below(10_000) < chance * 10_000;
  }

  #seat(id: number): Seat {
    const seat = this.seats.get(id);
    if (seat === undefined) throw new Error(`there is no seat ${id}`);
    return seat;
  }
}

function nameOf({ generation, epoch }: RingState): string {
  return `${generation}/${epoch}`;
}
