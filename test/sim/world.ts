/**
 * A whole cluster in one process and in virtual time: the real nodes, stores and engines, on disks
 * in memory and a network with weather. A seed decides everything, so a failure can be repeated.
 */
import { loadHash } from "../../native-free-engine/base/hash.ts";
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { loadFilterPackage } from "../../native-free-engine/table/filter.ts";
import type { Effect, Event, Notice } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Candidate, Command, Message, Result } from "../../src/core/message.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import type { Store } from "../../src/store/store.ts";
import { filledOptions, foundedRing, type WorldOptions } from "./founding.ts";
import {
  disksOn,
  type Happening,
  type Host,
  type Image,
  type Life,
  newHost,
  openLife,
} from "./host.ts";
import { Network } from "./network.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";
import { Watch } from "./watch.ts";
import { Wire } from "./wire.ts";

const tickMs = 10;

export class World {
  readonly timeline = new Timeline(1_700_000_000_000);
  readonly trace = new Trace();
  readonly network: Network;
  readonly notices: { readonly at: number; readonly node: NodeId; readonly notice: Notice }[] = [];
  /** Looks at everything that nodes say and store, and says what must never be. */
  readonly watch: Watch;
  /** Called before each effect is performed: may crash the node, which then performs no more. */
  beforeEffect: (node: NodeId, effect: Effect) => void = () => {};
  readonly #options: Required<WorldOptions>;
  readonly #wire: Wire;
  readonly #newDisk: () => MemoryDisk;
  readonly #hosts = new Map<NodeId, Host>();
  readonly #founded: RingState;
  /** Of nodes that were let in later: the ring that they were told. */
  readonly #rings = new Map<NodeId, RingState>();
  #requests = 0;
  #joined = 0;
  #lives = 0;

  constructor(options: WorldOptions) {
    const filled = filledOptions(options);
    this.#options = filled;
    this.#newDisk = disksOn(this.timeline, filled);
    this.network = new Network(this.timeline, filled.seed, filled.weather);
    this.#founded = foundedRing(filled);
    for (const { id } of this.#founded.members) this.#hosts.set(id, newHost(id, this.#newDisk()));
    this.network.isFar = (from, to) => this.#dcOf(from) !== this.#dcOf(to);
    this.watch = new Watch({ partitions: filled.partitions, isFar: this.network.isFar });
    this.#wire = new Wire(this);
  }

  get ids(): readonly NodeId[] {
    return [...this.#hosts.keys()];
  }

  get live(): readonly NodeId[] {
    return this.ids.filter((id) => this.#host(id).life !== undefined);
  }

  /** Live nodes that do not know otherwise than that they serve clients. */
  get serving(): readonly NodeId[] {
    return this.live.filter((id) => {
      const { state } = this.ringOf(id).members.find((member) => member.id === id) ?? {};
      return state === "member" || state === "leaving";
    });
  }

  /** Nodes that are down and could be started again. */
  get startable(): readonly NodeId[] {
    return this.ids.filter((id) => this.#host(id).life === undefined);
  }

  /** Starts every node, and waits until they know each other and agree that nothing is there. */
  async start(): Promise<void> {
    // Both take real time, so they are there before virtual time begins.
    await Promise.all([loadHash(), loadFilterPackage()]);
    for (const id of this.ids) await this.restart(id);
    await this.run(3_000);
    await this.runUntil(() => this.isFilled, 60_000);
  }

  run(ms: number): Promise<void> {
    return this.timeline.runUntil(this.timeline.now + ms);
  }

  /** Runs until it is so, at most so long; false when it did not come about. */
  async runUntil(isDone: () => boolean, ms = 120_000): Promise<boolean> {
    await this.timeline.runUntil(this.timeline.now + ms, isDone);
    return isDone();
  }

  /** For a client's own pauses: resolves in virtual time, while somebody runs the world. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.timeline.after(ms, resolve);
    });
  }

  /** Stops a node as a power cut does: what was not synced may be gone. */
  crash(id: NodeId, survival = 0.5): void {
    const host = this.#host(id);
    if (host.life === undefined) return;
    host.life.clock.isStopped = true;
    host.life = undefined;
    host.backlog = undefined;
    this.watch.ended(id);
    host.image = this.#copy(host, survival);
    this.#linkAll(id, false);
  }

  /** Stops its process without ending it; `thaw` lets it go on. Its connections stay. */
  freeze(id: NodeId): void {
    this.#host(id).backlog ??= [];
  }

  thaw(id: NodeId): void {
    const host = this.#host(id);
    const waiting = host.backlog ?? [];
    host.backlog = undefined;
    for (const happen of waiting) this.timeline.after(0, happen);
  }

  /** An empty disk, with which it must join again to be of any use. */
  wipe(id: NodeId): void {
    this.restore(id, { disk: this.#newDisk(), started: 0 });
  }

  /** Whatever is written beyond so much fails; a crash makes room again. */
  setCapacity(id: NodeId, bytes: number): void {
    this.#host(id).image.disk.capacityBytes = bytes;
  }

  /** A copy of what is on the node's disk at this moment, as a backup would take it. */
  imageOf(id: NodeId): Image {
    return this.#copy(this.#host(id), 1);
  }

  /** Another disk for a node that is down. The image stays good for another time. */
  restore(id: NodeId, image: Image): void {
    const host = this.#host(id);
    if (host.life !== undefined) throw new Error(`node ${id} is running`);
    host.image = { ...image, disk: image.disk.crash({ survival: 1 }) };
  }

  /** From its next start on. */
  setClock(id: NodeId, aheadMs: number): void {
    this.#host(id).aheadMs = aheadMs;
  }

  async restart(id: NodeId): Promise<void> {
    const host = this.#host(id);
    if (host.life !== undefined) return;
    let opened: Life | Error | undefined;
    const settle = (outcome: Life | Error): void => {
      opened = outcome;
    };
    void this.#open(host).then(settle, settle);
    await this.runUntil(() => opened !== undefined, 60_000);
    const life = opened as Life | Error | undefined;
    if (life === undefined || life instanceof Error) {
      throw new Error(`node ${id} does not open`, { cause: life });
    }
    host.life = life;
    this.#perform(host, life, life.node.start(life.clock.time()));
    this.#tickLater(host, life);
    this.#linkAll(id, true);
  }

  /** A new node asks one that is there to be let in, and starts. Gives its number. */
  async join(
    via: NodeId,
    more: Partial<Candidate> & { stage?: boolean } = {},
    deadlineMs = 10_000,
  ): Promise<NodeId> {
    const address = `newcomer-${++this.#joined}:7400`;
    const candidate = { address, dc: "dc1", rack: "r1", weight: 1, ...more };
    const told = await this.admin(via, "join", candidate, deadlineMs);
    const { id, ring } = told as { id: NodeId; ring: RingState };
    if (this.#hosts.has(id)) throw new Error(`node ${id} is there already`);
    this.#hosts.set(id, newHost(id, this.#newDisk()));
    this.#rings.set(id, ring);
    await this.restart(id);
    return id;
  }

  /** The machine is there no longer: its disk, its address, everything. */
  forget(id: NodeId): void {
    this.crash(id);
    this.#hosts.delete(id);
  }

  /** An operator's command. Throws when it is refused, with the code in the message. */
  async admin(via: NodeId, name: string, given: object, deadlineMs = 10_000): Promise<unknown> {
    const text = JSON.stringify(given);
    const result = await this.ask(via, { kind: "admin", name, arguments: text, deadlineMs });
    if (result?.kind === "answer") return JSON.parse(result.json);
    const why = result?.kind === "failed" ? `${result.code}: ${result.message}` : "no answer";
    throw new Error(`${name} at node ${via}: ${why}`);
  }

  /** A client's request at a node; resolves in virtual time. `undefined`: the node is gone. */
  request(id: NodeId, command: Command): Promise<Result | undefined> {
    const { life } = this.#hosts.get(id) ?? {};
    if (life === undefined) return Promise.resolve(undefined);
    const request = ++this.#requests;
    return new Promise((resolve) => {
      life.answers.set(request, resolve);
      // Whoever asks a node that dies gets no answer; the client's own deadline ends the wait.
      this.timeline.after(command.deadlineMs + 500, () => {
        if (life.answers.delete(request)) resolve(undefined);
      });
      this.#step(this.#host(id), life, { kind: "request", id: request, command });
    });
  }

  /** As `request`, and runs the world until the answer is there. */
  async ask(id: NodeId, command: Command): Promise<Result | undefined> {
    let answer: { readonly result: Result | undefined } | undefined;
    void this.request(id, command).then((result) => {
      answer = { result };
    });
    await this.runUntil(() => answer !== undefined);
    return answer?.result;
  }

  storeOf(id: NodeId): Store {
    const { life } = this.#host(id);
    if (life === undefined) throw new Error(`node ${id} is down`);
    return life.store;
  }

  ringOf(id: NodeId): RingState {
    return this.#host(id).life?.node.ring.state ?? this.#founded;
  }

  /** The newest ring that any live node has in force. */
  get ring(): RingState {
    const states = this.live.map((id) => this.ringOf(id));
    const isNewer = (a: RingState, b: RingState): boolean =>
      a.generation > b.generation || (a.generation === b.generation && a.epoch > b.epoch);
    return states.reduce((best, each) => (isNewer(each, best) ? each : best), this.#founded);
  }

  /** Whether no live member says that it still fills something. */
  get isFilled(): boolean {
    return this.watch.areFilled(this.#present);
  }

  /** Nothing moves and nobody leaves; every live member knows it, and has what it should. */
  get isAtRest(): boolean {
    const { epoch, generation, moves, members } = this.ring;
    if (members.some(({ state }) => state === "leaving")) return false;
    const isTold = (id: NodeId): boolean => {
      const state = this.ringOf(id);
      return state.epoch === epoch && state.generation === generation;
    };
    return moves.length === 0 && this.#present.every(isTold) && this.isFilled;
  }

  /** Live nodes that have not left. */
  get #present(): readonly NodeId[] {
    const { members } = this.ring;
    const left = new Set(members.filter(({ state }) => state === "left").map(({ id }) => id));
    return this.live.filter((id) => !left.has(id));
  }

  #copy({ image }: Host, survival: number): Image {
    const random = seededRandom(this.#options.seed * 31 + ++this.#lives);
    const disk = image.disk.crash({ survival, random: () => random.below(1e9) / 1e9 });
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    return { ...image, disk };
  }

  #open(host: Host): Promise<Life> {
    const { id } = host;
    return openLife(host, {
      ...this.#options,
      timeline: this.timeline,
      life: ++this.#lives,
      ring: this.#rings.get(id) ?? this.#founded,
      onDamage: (partition) => {
        const { life } = host;
        if (life === undefined || partition === undefined) return;
        this.timeline.after(0, () => this.#step(host, life, { kind: "damage", partition }));
      },
      onFatal: () => this.timeline.after(0, () => this.crash(id)),
    });
  }

  #step(host: Host, life: Life, happening: Happening): void {
    if (host.life !== life) return;
    if (host.backlog !== undefined) {
      host.backlog.push(() => this.#step(host, life, happening));
      return;
    }
    const event = { ...happening, now: life.clock.time() } as Event;
    this.#perform(host, life, life.node.step(event));
  }

  #perform(host: Host, life: Life, effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.beforeEffect(host.id, effect);
      if (host.life !== life) return;
      switch (effect.kind) {
        case "send":
          this.#send(host, life, effect.to, effect.message);
          break;
        case "store":
          this.timeline.stir();
          life.store.run(effect.work, (outcome) => {
            this.watch.stored(host.id, effect.work, outcome);
            this.timeline.afterQuietly(0, () =>
              this.#step(host, life, { kind: "stored", ticket: effect.ticket, outcome }),
            );
          });
          break;
        case "reply": {
          const answer = life.answers.get(effect.id);
          life.answers.delete(effect.id);
          this.timeline.stir();
          answer?.(effect.result);
          break;
        }
        case "notice":
          this.trace.note(this.timeline.now, host.id, effect.notice);
          this.watch.noticed(host.id, effect.notice);
          this.notices.push({ at: this.timeline.now, node: host.id, notice: effect.notice });
          break;
        case "ring":
          this.watch.installed(host.id, effect.state);
          break;
        case "down":
          break;
      }
    }
  }

  #send(host: Host, life: Life, to: NodeId, message: Message): void {
    this.watch.sent(host.id, to, message);
    if (to === host.id) {
      this.timeline.afterQuietly(0, () =>
        this.#step(host, life, { kind: "message", from: to, message }),
      );
      return;
    }
    const target = this.#hosts.get(to);
    if (target === undefined) return;
    this.#wire.send({ from: host.id, to }, message, (arrived) => {
      if (target.life === undefined) return;
      this.#step(target, target.life, { kind: "message", from: host.id, message: arrived });
    });
  }

  #tickLater(host: Host, life: Life): void {
    this.timeline.afterQuietly(tickMs, () => {
      if (host.life !== life) return;
      if (host.backlog === undefined) this.#step(host, life, { kind: "tick" });
      this.#tickLater(host, life);
    });
  }

  /** Connections break at once when a process dies, and come back when it does. */
  #linkAll(id: NodeId, up: boolean): void {
    for (const other of this.ids) {
      const host = this.#host(other);
      const mine = this.#host(id).life;
      if (other === id || host.life === undefined) continue;
      this.#step(host, host.life, { kind: "link", peer: id, up });
      if (up && mine !== undefined) {
        this.#step(this.#host(id), mine, { kind: "link", peer: other, up });
      }
    }
  }

  #dcOf(id: NodeId): string | undefined {
    const joined = this.#rings.get(id)?.members.find((member) => member.id === id);
    return (joined ?? this.#founded.members.find((member) => member.id === id))?.dc;
  }

  #host(id: NodeId): Host {
    const host = this.#hosts.get(id);
    if (host === undefined) throw new Error(`there is no node ${id}`);
    return host;
  }
}
