/**
 * A whole cluster in one process and in virtual time: the real nodes, stores and engines, on disks
 * in memory and a network with weather. A seed decides everything, so a failure can be repeated.
 */
import { loadHash } from "../../native-free-engine/base/hash.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { Engine } from "../../native-free-engine/index.ts";
import { openOn } from "../../native-free-engine/open.ts";
import type { Effect, Event, Notice } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Command, Message, Result } from "../../src/core/message.ts";
import { Node } from "../../src/core/node.ts";
import { seededRandom } from "../../src/core/random.ts";
import { plan } from "../../src/core/ring/planner.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";
import { decodeFrame, FrameWriter } from "../../src/core/wire/codec.ts";
import { decodeRing } from "../../src/core/wire/ring.ts";
import { Store } from "../../src/store/store.ts";
import { calm, Network, type Weather } from "./network.ts";
import { Timeline, TimelineClock } from "./timeline.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly n?: number;
  readonly r?: number;
  readonly w?: number;
  readonly partitions?: number;
  readonly weather?: Weather;
}

const tickMs = 10;
const clusterId = "5eed".repeat(8);

/** One node: its disk lasts, everything else lives from start to crash. */
interface Host {
  readonly id: NodeId;
  disk: MemoryDisk;
  life: Life | undefined;
}

/** One run of a node's process. */
interface Life {
  readonly node: Node;
  readonly store: Store;
  readonly engine: Engine;
  readonly clock: TimelineClock;
  readonly answers: Map<number, (result: Result) => void>;
}

export class World {
  readonly timeline = new Timeline();
  readonly network: Network;
  readonly notices: { readonly at: number; readonly node: NodeId; readonly notice: Notice }[] = [];
  readonly #options: Required<WorldOptions>;
  readonly #hosts = new Map<NodeId, Host>();
  readonly #founded: RingState;
  /** Of nodes that were let in later: the ring that they were told. */
  readonly #rings = new Map<NodeId, RingState>();
  #requests = 0;
  #joined = 0;
  #lives = 0;

  constructor(options: WorldOptions) {
    const filled = { n: 3, r: 2, w: 2, partitions: 16, weather: calm, ...options };
    this.#options = filled;
    this.timeline.now = 1_700_000_000_000;
    this.network = new Network(this.timeline, seededRandom(filled.seed), filled.weather);
    const members = Array.from({ length: filled.nodes }, (_, i) => memberOf(i + 1));
    this.#founded = ringOf(members, filled.n, filled.partitions);
    for (const { id } of members)
      this.#hosts.set(id, { id, disk: new MemoryDisk(), life: undefined });
  }

  get ids(): readonly NodeId[] {
    return [...this.#hosts.keys()];
  }

  get live(): readonly NodeId[] {
    return this.ids.filter((id) => this.#host(id).life !== undefined);
  }

  /** Starts every node, and waits until they know each other. */
  async start(): Promise<void> {
    // Compiled in real time, before virtual time begins.
    await loadHash();
    for (const id of this.ids) await this.restart(id);
    await this.run(3_000);
  }

  run(ms: number): Promise<void> {
    return this.timeline.runUntil(this.timeline.now + ms);
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
    const random = seededRandom(this.#options.seed * 31 + ++this.#lives);
    host.disk = host.disk.crash({ survival, random: () => random.below(1e9) / 1e9 });
    this.#linkAll(id, false);
  }

  /** Gives a node an empty disk; only while it is down. */
  wipe(id: NodeId): void {
    this.#host(id).disk = new MemoryDisk();
  }

  async restart(id: NodeId): Promise<void> {
    const host = this.#host(id);
    if (host.life !== undefined) return;
    const clock = new TimelineClock(this.timeline);
    const opening = this.#open(host, clock);
    let isOpen = false;
    const opened = opening.finally(() => {
      isOpen = true;
    });
    await this.timeline.runUntil(this.timeline.now + 60_000, () => isOpen);
    if (!isOpen) throw new Error(`node ${id} does not open`);
    const life = await opened;
    host.life = life;
    this.#perform(host, life, life.node.start(this.timeline.now));
    this.#tickLater(host, life);
    this.#linkAll(id, true);
  }

  /** A new node asks one that is there to be let in, and starts. Gives its number. */
  async join(via: NodeId, weight = 1): Promise<NodeId> {
    const address = `newcomer-${++this.#joined}:7400`;
    const candidate = { address, dc: "dc1", rack: "r1", weight };
    const result = await this.ask(via, {
      kind: "admin",
      name: "join",
      arguments: JSON.stringify(candidate),
      deadlineMs: 10_000,
    });
    if (result?.kind !== "answer") throw new Error(`not let in: ${JSON.stringify(result)}`);
    const { id, ring } = JSON.parse(result.json) as { id: NodeId; ring: RingState };
    this.#hosts.set(id, { id, disk: new MemoryDisk(), life: undefined });
    this.#rings.set(id, ring);
    await this.restart(id);
    return id;
  }

  /** A client's request at a node; resolves in virtual time. `undefined`: the node is gone. */
  request(id: NodeId, command: Command): Promise<Result | undefined> {
    const host = this.#host(id);
    const { life } = host;
    if (life === undefined) return Promise.resolve(undefined);
    const request = ++this.#requests;
    return new Promise((resolve) => {
      life.answers.set(request, resolve);
      // Whoever asks a node that dies gets no answer; the client's own deadline ends the wait.
      this.timeline.after(command.deadlineMs + 500, () => {
        if (life.answers.delete(request)) resolve(undefined);
      });
      this.#step(host, life, { kind: "request", now: this.timeline.now, id: request, command });
    });
  }

  /** As `request`, and runs the world until the answer is there. */
  async ask(id: NodeId, command: Command): Promise<Result | undefined> {
    let answer: { readonly result: Result | undefined } | undefined;
    void this.request(id, command).then((result) => {
      answer = { result };
    });
    await this.timeline.runUntil(this.timeline.now + 120_000, () => answer !== undefined);
    return answer?.result;
  }

  storeOf(id: NodeId): Store {
    const { life } = this.#host(id);
    if (life === undefined) throw new Error(`node ${id} is down`);
    return life.store;
  }

  ringOf(id: NodeId): RingState {
    const { life } = this.#host(id);
    return life === undefined ? this.#founded : life.node.ring.state;
  }

  async #open(host: Host, clock: TimelineClock): Promise<Life> {
    const { seed, r, w } = this.#options;
    const world = { disk: host.disk, clock, workers: inlineWorkers(host.disk, clock) };
    const engine = await openOn(
      world,
      "/db",
      { durability: "sync", memtableBytes: 256 << 10, cacheBytes: 1 << 20 },
      { memoryBytes: 1 << 30, newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }) },
    );
    const life = ++this.#lives;
    const random = seededRandom(seed * 1_000_003 + life);
    let drawn = 0;
    const store = await Store.open({
      engine,
      partitions: this.#options.partitions,
      newActor: () => actorOf(this.timeline.now, life, ++drawn),
      onFatal: () => {},
    });
    const saved = await loadRing(store);
    const node = new Node({
      self: host.id,
      started: clock.now(),
      ring: saved ?? this.#rings.get(host.id) ?? this.#founded,
      random,
      r,
      w,
    });
    return { node, store, engine, clock, answers: new Map() };
  }

  #step(host: Host, life: Life, event: Event): void {
    if (host.life !== life) return;
    this.#perform(host, life, life.node.step(event));
  }

  #perform(host: Host, life: Life, effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "send":
          this.#send(host, life, effect.to, effect.message);
          break;
        case "store":
          life.store.run(effect.work, (outcome) => {
            this.timeline.after(0, () => {
              const now = this.timeline.now;
              this.#step(host, life, { kind: "stored", now, ticket: effect.ticket, outcome });
            });
          });
          break;
        case "reply": {
          const answer = life.answers.get(effect.id);
          life.answers.delete(effect.id);
          answer?.(effect.result);
          break;
        }
        case "notice":
          this.notices.push({ at: this.timeline.now, node: host.id, notice: effect.notice });
          break;
        case "ring":
        case "down":
          break;
      }
    }
  }

  /** Every message crosses as bytes, also the smallest. */
  #send(host: Host, life: Life, to: NodeId, message: Message): void {
    if (to === host.id) {
      const now = this.timeline.now;
      this.timeline.after(0, () => {
        this.#step(host, life, { kind: "message", now, from: to, message });
      });
      return;
    }
    const target = this.#hosts.get(to);
    if (target === undefined) return;
    const writer = new FrameWriter();
    writer.add(message);
    for (const frame of writer.take()) {
      this.network.send(host.id, to, frame, (bytes) => this.#deliver(host.id, target, bytes));
    }
  }

  #deliver(from: NodeId, target: Host, bytes: Uint8Array): void {
    const { life } = target;
    if (life === undefined) return;
    const frame = decodeFrame(bytes);
    if (frame.kind === "invalid") throw new Error(`a frame of ours is invalid: ${frame.why}`);
    for (const message of frame.messages) {
      this.#step(target, life, { kind: "message", now: this.timeline.now, from, message });
    }
  }

  #tickLater(host: Host, life: Life): void {
    this.timeline.after(tickMs, () => {
      if (host.life !== life) return;
      this.#step(host, life, { kind: "tick", now: this.timeline.now });
      this.#tickLater(host, life);
    });
  }

  /** Connections break at once when a process dies, and come back when it does. */
  #linkAll(id: NodeId, up: boolean): void {
    for (const other of this.ids) {
      const host = this.#host(other);
      const mine = this.#host(id).life;
      if (other === id || host.life === undefined) continue;
      const now = this.timeline.now;
      this.#step(host, host.life, { kind: "link", now, peer: id, up });
      if (up && mine !== undefined) {
        this.#step(this.#host(id), mine, { kind: "link", now, peer: other, up });
      }
    }
  }

  #host(id: NodeId): Host {
    const host = this.#hosts.get(id);
    if (host === undefined) throw new Error(`there is no node ${id}`);
    return host;
  }
}

/** Founded with everybody at once: every world begins in the middle of its life. */
function ringOf(members: readonly Member[], n: number, partitions: number): RingState {
  const nobody = Array.from({ length: partitions }, () => []);
  const owners = plan(members, n, nobody);
  return { clusterId, generation: 1, epoch: 1, n, members, owners, moves: [], buckets: [], staged: [] };
}

/** The newest epoch that the node has saved. */
function loadRing(store: Store): Promise<RingState | undefined> {
  return new Promise((resolve) => {
    store.run({ kind: "load-meta", name: "ring" }, (outcome) => {
      const bytes = outcome.kind === "meta" ? outcome.bytes : undefined;
      resolve(bytes === undefined ? undefined : decodeRing(bytes));
    });
  });
}

/** Unlike any other, as the real ones are by time and chance. */
function actorOf(now: number, life: number, drawn: number): string {
  const time = Math.floor(now).toString(16).padStart(11, "0").slice(-10);
  return time + (life * 4096 + drawn).toString(16).padStart(6, "0");
}

function memberOf(id: NodeId): Member {
  return { id, address: `n${id}:7400`, dc: "dc1", rack: "r1", weight: 1, state: "member" };
}
