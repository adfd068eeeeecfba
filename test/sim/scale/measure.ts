/**
 * What a cluster of so many nodes costs and how fast it agrees: the real nodes, stores and engines,
 * counted in virtual time, so that no machine's speed is in it.
 */
import type { NodeId } from "../../../src/core/ids.ts";
import { partitionOf } from "../../../src/core/key.ts";
import { partitionsDefault } from "../../../src/core/limits.ts";
import { gossipDefaults } from "../../../src/core/members/gossip.ts";
import { keyFrom } from "../workload.ts";
import { World } from "../world.ts";
import { Observer } from "./observer.ts";
import { gossipKinds, requestKinds } from "./traffic.ts";

export interface ScaleOptions {
  readonly nodes: number;
  readonly seed: number;
  /** Requests of each kind. */
  readonly requests: number;
  readonly partitions?: number;
  /** From one tick of a node to the next. Of many nodes most of the work is to look at the time. */
  readonly tickMs?: number;
}

/** Of one request, between nodes and with its client's question and answer. */
export interface Cost {
  readonly messages: number;
  /** Between nodes alone. */
  readonly bytes: number;
}

export interface ScaleFigures {
  readonly nodes: number;
  readonly partitions: number;
  /** Copies on the node with most of them, by the average. */
  readonly ownership: number;
  readonly put: Cost;
  readonly get: Cost;
  /** Each node's part of what is said while nobody asks for anything, in a second. */
  readonly gossipBytes: number;
  readonly idleBytes: number;
  /** Nodes that were taken for absent meanwhile, although all were there. */
  readonly suspicions: number;
  /** Rounds of gossip until everybody has heard of one node's suspicion. */
  readonly newsRounds: number;
  /** Until nobody sends requests to a node that stands still; its connections stay. */
  readonly absentMs: number;
  /** From the question of a node that joins to the decision, and until all have the epoch. */
  readonly joinMs: number;
  readonly joinedMs: number;
}

/** As in a real node. */
const tickMsUsual = 10;
const restMs = 10_000;
/** Where it is not so by then, it is no figure. */
const patienceMs = 120_000;
const clientMessages = 2;

export class Scale {
  readonly world: World;
  readonly observer: Observer;
  readonly #options: Required<ScaleOptions>;
  #operations = 0;
  #live: ReadonlySet<NodeId> = new Set();

  constructor(options: ScaleOptions) {
    this.#options = { partitions: partitionsDefault, tickMs: tickMsUsual, ...options };
    const { nodes, seed, partitions, tickMs } = this.#options;
    this.world = new World({ nodes, seed, partitions, tickMs });
    this.observer = new Observer(this.world);
  }

  /** Everybody has met everybody. */
  async start(): Promise<void> {
    await this.world.start();
    await this.#untilAllAreThere();
  }

  async measure(): Promise<ScaleFigures> {
    const { nodes, partitions } = this.#options;
    await this.start();
    return {
      ...{ nodes, partitions, ownership: this.ownership() },
      ...{ put: await this.costOf("put"), get: await this.costOf("get") },
      ...(await this.rest()),
      newsRounds: await this.newsRounds(),
      absentMs: await this.absentMs(),
      ...(await this.join()),
    };
  }

  ownership(): number {
    const { owners } = this.world.ring;
    const counts = new Map(this.world.ids.map((id) => [id, 0]));
    for (const node of owners.flat()) counts.set(node, (counts.get(node) ?? 0) + 1);
    const average = owners.flat().length / counts.size;
    return Math.max(...counts.values()) / average;
  }

  /** Each at the first owner of its key, as a client asks that knows the ring. */
  async costOf(kind: "put" | "get"): Promise<Cost> {
    const { requests } = this.#options;
    const { traffic } = this.observer;
    traffic.forget();
    await this.askAll(kind);
    await this.world.run(1_000);
    const { messages, bytes } = traffic.sumOf(requestKinds);
    return { messages: clientMessages + messages / requests, bytes: bytes / requests };
  }

  async askAll(kind: "put" | "get"): Promise<void> {
    this.#live = new Set(this.world.live);
    for (let i = 0; i < this.#options.requests; i++) await this.#ask(kind, `key ${i}`);
  }

  async rest(ms = restMs): Promise<Pick<ScaleFigures, "gossipBytes" | "idleBytes" | "suspicions">> {
    const { observer, world } = this;
    const before = observer.suspicions;
    observer.traffic.forget();
    await world.run(ms);
    const share = (ms / 1_000) * world.ids.length;
    return {
      gossipBytes: observer.traffic.sumOf(gossipKinds).bytes / share,
      idleBytes: observer.traffic.sumOf().bytes / share,
      suspicions: observer.suspicions - before,
    };
  }

  /** Two that probe each other lose sight of each other; the others hear of it by gossip alone. */
  async newsRounds(): Promise<number> {
    const { world, observer } = this;
    const [one = 1, other = 2] = world.ids;
    world.network.cut(one, other);
    world.network.cut(other, one);
    const heard = observer.follow(one, other);
    const isSuspect = (): boolean => observer.down.get(one)?.has(other) === true;
    const suspected = await world.runUntil(isSuspect, patienceMs);
    const since = world.timeline.now;
    const all = await world.runUntil(() => heard.size >= world.ids.length, patienceMs);
    const tookMs = world.timeline.now - since;
    world.network.heal();
    await this.#untilAllAreThere();
    return suspected && all ? tookMs / gossipDefaults.gossipMs : Number.NaN;
  }

  async absentMs(): Promise<number> {
    const { world, observer } = this;
    const still = world.ids[world.ids.length >> 1] ?? 1;
    const others = world.ids.filter((id) => id !== still);
    const since = world.timeline.now;
    world.freeze(still);
    const isKnown = (): boolean => others.every((id) => observer.down.get(id)?.has(still));
    const known = await world.runUntil(isKnown, patienceMs);
    const tookMs = world.timeline.now - since;
    world.thaw(still);
    await this.#untilAllAreThere();
    return known ? tookMs : Number.NaN;
  }

  async join(): Promise<Pick<ScaleFigures, "joinMs" | "joinedMs">> {
    const { world, observer } = this;
    const members = world.ids;
    const before = world.ring.epoch;
    const since = world.timeline.now;
    await world.join(1);
    const isEverywhere = (): boolean => members.every((id) => world.ringOf(id).epoch > before);
    const isDone = await world.runUntil(isEverywhere, patienceMs);
    if (!isDone) return { joinMs: Number.NaN, joinedMs: Number.NaN };
    const news = observer.installs.filter(({ at, epoch }) => at >= since && epoch > before);
    const times = members.map((id) => (news.find(({ node }) => node === id)?.at ?? 0) - since);
    return { joinMs: Math.min(...times), joinedMs: Math.max(...times) };
  }

  async #untilAllAreThere(): Promise<void> {
    await this.world.runUntil(() => this.observer.absences === 0, patienceMs);
    await this.world.run(2_000);
  }

  async #ask(kind: "put" | "get", text: string): Promise<void> {
    const { world } = this;
    const key = keyFrom(text);
    const { owners } = world.ring;
    const row = owners[partitionOf(key, owners.length)] ?? [];
    const owner = row.find((id) => this.#live.has(id)) ?? 1;
    const common = { key, deadlineMs: 2_000, strict: false, trace: false };
    this.#operations += 1;
    const at = Math.floor(world.timeline.now);
    const operation = { at, nonce: this.#operations, retried: false };
    const value = new Uint8Array(100);
    const result = await world.ask(
      owner,
      kind === "get"
        ? { ...common, kind, r: undefined }
        : { ...common, kind, context: undefined, value, ttlMs: 0, operation, w: undefined },
    );
    const isDone = result?.kind === (kind === "get" ? "found" : "stored");
    if (!isDone) throw new Error(`${kind} ${text} at node ${owner}: ${JSON.stringify(result)}`);
  }
}
