/**
 * A whole cluster in one process and in virtual time: the real nodes, stores and engines, on disks
 * in memory and a network with weather. A seed decides everything, so a failure can be repeated.
 */
import { loadHash } from "../../native-free-engine/base/hash.ts";
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { loadFilterPackage } from "../../native-free-engine/table/filter.ts";
import type { Effect, Notice } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Candidate, Command, Message, Result } from "../../src/core/message.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import type { Store } from "../../src/store/store.ts";
import type { MachineClock } from "./clocks.ts";
import { Driver } from "./driver.ts";
import { filledOptions, foundedRing, type WorldOptions } from "./founding.ts";
import {
  disksOn,
  type Host,
  type Image,
  type Life,
  type NewDisk,
  newHost,
  openLife,
} from "./host.ts";
import { Network } from "./network.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";
import { Watch } from "./watch.ts";
import { Wire } from "./wire.ts";

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
  readonly #driver: Driver;
  readonly #newDisk: NewDisk;
  readonly #hosts = new Map<NodeId, Host>();
  readonly #founded: RingState;
  /** Of nodes that were let in later: the ring that they were told. */
  readonly #rings = new Map<NodeId, RingState>();
  /** Asked for with every message; a node stays where it is. */
  readonly #dcs = new Map<NodeId, string>();
  #requests = 0;
  #joined = 0;
  #lives = 0;

  constructor(options: WorldOptions) {
    const filled = filledOptions(options);
    this.#options = filled;
    this.#newDisk = disksOn(this.timeline, filled);
    this.network = new Network(this.timeline, filled.seed, filled.weather);
    this.#founded = foundedRing(filled);
    for (const { id } of this.#founded.members) this.#addHost(id);
    this.network.isFar = (from, to) => this.#dcOf(from) !== this.#dcOf(to);
    this.watch = new Watch({ partitions: filled.partitions, isFar: this.network.isFar });
    this.#wire = new Wire(this);
    this.#driver = new Driver({
      ...{ timeline: this.timeline, trace: this.trace, watch: this.watch },
      tickMs: filled.tickMs,
      beforeEffect: (node, effect) => this.beforeEffect(node, effect),
      noticed: (node, { notice }) => this.notices.push({ at: this.timeline.now, node, notice }),
      post: (from, to, message) => this.#post(from, to, message),
    });
  }

  get ids(): readonly NodeId[] {
    return [...this.#hosts.keys()];
  }

  /** Copies that a write needs that names no number. */
  get w(): number {
    return this.#options.w;
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

  /** What takes real time. */
  async prepare(): Promise<void> {
    await Promise.all([loadHash(), loadFilterPackage()]);
  }

  /** Starts every node, and waits until they know each other and agree that nothing is there. */
  async start(): Promise<void> {
    await this.prepare();
    for (const id of this.ids) await this.restart(id);
    await this.run(3_000);
    await this.runUntilCalm(() => this.isFilled, 60_000);
  }

  run(ms: number): Promise<void> {
    return this.timeline.runUntil(this.timeline.now + ms);
  }

  /** Runs until it is so, at most so long; false when it did not come about. */
  async runUntil(isDone: () => boolean, ms = 120_000): Promise<boolean> {
    await this.timeline.runUntil(this.timeline.now + ms, isDone);
    return isDone();
  }

  /** As `runUntil`, for what costs something to find out: it looks every tenth of a second. */
  async runUntilCalm(isDone: () => boolean, ms: number): Promise<boolean> {
    const end = this.timeline.now + ms;
    while (!isDone()) {
      if (this.timeline.now >= end) return false;
      await this.run(100);
    }
    return true;
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
    host.life.engineClock.isStopped = true;
    host.life = undefined;
    host.backlog = undefined;
    this.watch.ended(id);
    this.network.ended(id);
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
    this.watch.lost(id);
    host.image = { ...image, disk: image.disk.crash({ survival: 1 }) };
  }

  /** Starts a node with what is not its own. False: it refuses, and has its own back. */
  async startsWith(id: NodeId, image: Image): Promise<boolean> {
    const host = this.#host(id);
    const own = host.image;
    host.image = { ...image, disk: image.disk.crash({ survival: 1 }) };
    try {
      await this.restart(id);
      return true;
    } catch {
      host.image = own;
      return false;
    }
  }

  setDiskPace(id: NodeId, factor: number): void {
    this.#host(id).pace.factor = factor;
  }

  clockOf(id: NodeId): MachineClock {
    return this.#host(id).clock;
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
    this.#driver.start(host, life);
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
    this.#addHost(id);
    this.#rings.set(id, ring);
    await this.restart(id);
    return id;
  }

  /** The machine is there no longer: its disk, its address, everything. */
  forget(id: NodeId): void {
    this.crash(id);
    this.watch.lost(id);
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
      life.answers.set(request, this.watch.asked(id, command, resolve));
      // Whoever asks a node that dies gets no answer; the client's own deadline ends the wait. An
      // answer that comes still is heard by nobody but those who watch.
      this.timeline.afterQuietly(command.deadlineMs + 500, () => {
        if (!life.answers.has(request)) return;
        this.timeline.stir();
        resolve(undefined);
      });
      this.#driver.step(this.#host(id), life, { kind: "request", id: request, command });
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

  /** As it is now: a crash puts another in its place. */
  diskOf(id: NodeId): MemoryDisk {
    return this.#host(id).image.disk;
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

  async #open(host: Host): Promise<Life> {
    let opened: Life | undefined;
    // What its store says while it opens, the node hears once it is there.
    const tell = (happen: (life: Life) => void): void =>
      this.timeline.after(opened === undefined ? 1 : 0, () => {
        if (opened === undefined) tell(happen);
        else if (host.life === opened) happen(opened);
      });
    opened = await openLife(host, {
      ...this.#options,
      timeline: this.timeline,
      life: ++this.#lives,
      ring: this.#rings.get(host.id) ?? this.#founded,
      onDamage: (partition) => {
        if (partition === undefined) return;
        tell((life) => this.#driver.step(host, life, { kind: "damage", partition }));
      },
      onFatal: () => tell(() => this.crash(host.id)),
    });
    return opened;
  }

  #addHost(id: NodeId): void {
    this.#hosts.set(id, newHost(id, this.timeline, this.#newDisk));
  }

  #post(from: NodeId, to: NodeId, message: Message): void {
    const target = this.#hosts.get(to);
    if (target === undefined) return;
    this.#wire.send({ from, to }, message, (arrived) => {
      if (target.life === undefined) return;
      this.#driver.step(target, target.life, { kind: "message", from, message: arrived });
    });
  }

  /** Connections break at once when a process dies, and come back when it does. */
  #linkAll(id: NodeId, up: boolean): void {
    for (const other of this.ids) {
      const host = this.#host(other);
      const mine = this.#host(id).life;
      if (other === id || host.life === undefined) continue;
      this.#driver.step(host, host.life, { kind: "link", peer: id, up });
      if (up && mine !== undefined) {
        this.#driver.step(this.#host(id), mine, { kind: "link", peer: other, up });
      }
    }
  }

  #dcOf(id: NodeId): string | undefined {
    const known = this.#dcs.get(id);
    if (known !== undefined) return known;
    const joined = this.#rings.get(id)?.members.find((member) => member.id === id);
    const dc = (joined ?? this.#founded.members.find((member) => member.id === id))?.dc;
    if (dc !== undefined) this.#dcs.set(id, dc);
    return dc;
  }

  #host(id: NodeId): Host {
    const host = this.#hosts.get(id);
    if (host === undefined) throw new Error(`there is no node ${id}`);
    return host;
  }
}
