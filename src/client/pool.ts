/**
 * The connections of one client: to the endpoints it was given and, once a node has told it the
 * ring, to every member that it needs. A connection that breaks is made again, with a growing and
 * jittered pause. Nothing here throws or emits an event that somebody must handle.
 */
import type { NodeId } from "../core/ids.ts";
import { partitionOf } from "../core/key.ts";
import type { Member, RingState } from "../core/ring/ring-state.ts";
import type { ClusterCode } from "../errors.ts";
import { KeepAlive } from "../runtime/keep-alive.ts";
import type { DialTls } from "../runtime/sockets.ts";
import type { Request, Unreachable } from "./call.ts";
import type { Lines } from "./calls.ts";
import { Connection } from "./connection.ts";
import { Nearness } from "./nearness.ts";
import { downIn, inOrder, muteCost, pickOf, pickUpFirst, type Tried } from "./routing.ts";

/** Members that are dialled before they are needed; in larger clusters each at its first use. */
const eagerMembersMax = 16;
/** So often a connection must have said something, or it is asked to. */
const probeMs = 2_000;
const pauseMsMin = 50;
const pauseMsMax = 2_000;

/** What only whoever runs the client can mend, the most telling first. */
const refusals: readonly ClusterCode[] = [
  ...(["AUTH_FAILED", "AUTH_REQUIRED", "FORBIDDEN", "TLS_FAILED", "PROTOCOL_UNSUPPORTED"] as const),
];

interface Slot {
  readonly address: string;
  connection: Connection | undefined;
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
  /** Why the last attempt failed. */
  why: string;
  /** What the node itself said about it. */
  code: string | undefined;
  /** Who is down, as this node says; undefined until it has said anything. */
  down: readonly NodeId[] | undefined;
}

export interface PoolOptions {
  readonly endpoints: readonly string[];
  readonly isAware: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Without it connections are in the clear. */
  readonly tls: DialTls | undefined;
  /** The data centre whose nodes are preferred; undefined: the nearest. */
  readonly dc: string | undefined;
  /** Something changed that may let waiting calls go on. */
  onChange(): void;
}

export class Pool implements Lines {
  readonly #options: PoolOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #keepAlive = new KeepAlive(probeMs);
  readonly #nearness: Nearness;
  #ring: RingState | undefined;
  /** Members that have not left. */
  #present: readonly Member[] = [];
  #addresses: ReadonlyMap<NodeId, string> = new Map();
  #nodes: ReadonlyMap<string, NodeId> = new Map();
  #down: ReadonlySet<NodeId> = new Set();
  #turn = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#nearness = new Nearness(options.dc);
    for (const address of options.endpoints) this.#dial(address);
  }

  get ring(): RingState | undefined {
    return this.#ring;
  }

  choose(
    { place, preferred }: Pick<Request, "place" | "preferred">,
    tried: Tried,
  ): Connection | undefined {
    const now = performance.now();
    const ring = this.#ring;
    if (!this.#options.isAware || ring === undefined || place === undefined) {
      return pickOf(this.#anywhere(), { tried, now });
    }
    const owners = ring.owners[partitionOf(place, ring.owners.length)] ?? [];
    const best = this.#bestOf(owners, preferred, now);
    if (best !== undefined && !tried.has(best)) return best;
    const { live, down } = inOrder({
      owners,
      preferred: this.#isMute(preferred) ? 0 : preferred,
      isDown: (node) => this.#down.has(node),
      isNear: (node) => this.#nearness.isNear(node),
      costOf: (node) => this.#costOf(node, now),
    });
    for (const node of live) {
      const connection = this.#connectionTo(node);
      if (connection === undefined || tried.has(connection)) continue;
      if (connection.avoidUntil <= now) return connection;
    }
    const owned = [...live, ...down].map((node) => this.#connectionTo(node));
    const others = this.#anywhere().filter((connection) => !owned.includes(connection));
    const isThere = (connection: Connection | undefined) => connection !== undefined;
    const up = [...owned.slice(0, live.length).filter(isThere), ...others];
    return pickUpFirst(up, owned.slice(live.length).filter(isThere), { tried, now });
  }

  /**
   * The owner that comes first where all of them can be asked, which is nearly always so: to put
   * all in order would cost three times as much. Undefined where there is more to think about.
   */
  #bestOf(owners: readonly NodeId[], preferred: NodeId, now: number): Connection | undefined {
    let best: Connection | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const owner of owners) {
      const connection = this.#slotOf(owner)?.connection;
      if (connection === undefined || this.#down.has(owner)) return undefined;
      if (!connection.isUsable || connection.avoidUntil > now) return undefined;
      if (!this.#nearness.isNear(owner)) continue;
      const cost = owner === preferred ? -1 : connection.costAt(now);
      if (cost >= least) continue;
      least = cost;
      best = connection;
    }
    return best;
  }

  #isMute(node: NodeId): boolean {
    return (this.#slotOf(node)?.connection?.mutedAt ?? 0) !== 0;
  }

  #costOf(node: NodeId, now: number): number {
    return this.#isMute(node) ? muteCost : (this.#slotOf(node)?.connection?.costAt(now) ?? 0);
  }

  describeFailures(): Unreachable | undefined {
    const slots = [...this.#slots.values()];
    if (slots.some(({ connection }) => connection?.isUp)) return undefined;
    const failures = slots.map(({ address, why }) =>
      why.includes(address) ? why : `${address} (${why})`,
    );
    const refusal = refusals.find((known) => slots.some(({ code }) => code === known));
    return {
      code: refusal ?? "NO_ENDPOINT",
      why: failures.length === 0 ? "no endpoint is known" : failures.join(", "),
      isFinal: refusal !== undefined && this.hasFailed,
    };
  }

  /** Someone of the data centre that the program named is there, or nobody of it will be soon. */
  get isPlaced(): boolean {
    if (!this.#nearness.isNamedIn(this.#present)) return true;
    const slots = this.#present
      .filter(({ dc }) => dc === this.#options.dc)
      .map(({ address }) => this.#slots.get(address)?.connection);
    const isUnderWay = slots.some((connection) => connection !== undefined && !connection.isUp);
    return !isUnderWay || slots.some((connection) => connection?.isUp);
  }

  /** No attempt is under way any more, and none has worked. */
  get hasFailed(): boolean {
    return [...this.#slots.values()].every(({ connection }) => connection === undefined);
  }

  close(): void {
    this.#isClosed = true;
    this.#keepAlive.stop();
    for (const { timer, connection } of this.#slots.values()) {
      clearTimeout(timer);
      connection?.close();
    }
  }

  /**
   * All that can take a request, beginning with another one each time, so that load spreads. Who
   * asks for any node means those it named, while one of them is there.
   */
  #anywhere(): readonly Connection[] {
    const { endpoints, isAware } = this.#options;
    const isNamed = !isAware && !this.#nearness.isNamedIn(this.#present);
    const named = isNamed ? this.#usable(endpoints) : [];
    const all = named.length > 0 ? named : this.#usable(this.#slots.keys());
    if (all.length === 0) this.#dialMembers();
    if (all.length < 2) return all;
    this.#turn = (this.#turn + 1) % all.length;
    const turned = [...all.slice(this.#turn), ...all.slice(0, this.#turn)];
    return turned.sort((a, b) => Number(this.#isFar(a)) - Number(this.#isFar(b)));
  }

  #isFar({ address }: Connection): boolean {
    const node = this.#nodes.get(address);
    return node !== undefined && !this.#nearness.isNear(node);
  }

  #usable(addresses: Iterable<string>): readonly Connection[] {
    const usable: Connection[] = [];
    for (const address of addresses) {
      const connection = this.#slots.get(address)?.connection;
      if (connection?.isUsable) usable.push(connection);
    }
    return usable;
  }

  #slotOf(node: NodeId): Slot | undefined {
    const address = this.#addresses.get(node);
    return address === undefined ? undefined : this.#slots.get(address);
  }

  #connectionTo(node: NodeId): Connection | undefined {
    const address = this.#addresses.get(node);
    if (address === undefined) return undefined;
    const slot = this.#slots.get(address);
    if (slot === undefined) this.#dial(address);
    return slot?.connection?.isUsable ? slot.connection : undefined;
  }

  /** Not all of a large cluster at once: the next when some of these have failed. */
  #dialMembers(): void {
    let room = eagerMembersMax;
    for (const { connection } of this.#slots.values()) if (connection !== undefined) room -= 1;
    const isFar = ({ id }: Member): number => Number(!this.#nearness.isNear(id));
    for (const { address } of [...this.#present].sort((a, b) => isFar(a) - isFar(b))) {
      if (room <= 0) return;
      if (this.#slots.has(address)) continue;
      this.#dial(address);
      room -= 1;
    }
  }

  #dial(address: string): void {
    if (this.#isClosed) return;
    const slot: Slot = this.#slots.get(address) ?? {
      ...{ address, connection: undefined, pauseMs: pauseMsMin, timer: undefined },
      ...{ why: "connecting", code: undefined, down: undefined },
    };
    this.#slots.set(address, slot);
    slot.timer = undefined;
    try {
      slot.connection = new Connection(address, {
        headers: this.#options.headers,
        tls: this.#options.tls,
        keepAlive: this.#keepAlive,
        closed: (why, code) => this.#lost(slot, why, code),
        ringNews: (connection, state, down) => this.#learn(slot, { connection, state, down }),
      });
    } catch (error) {
      // The ring may hold an address that is none here; never thrown into whoever told the ring.
      queueMicrotask(() => this.#lost(slot, error instanceof Error ? error.message : "no address"));
    }
  }

  #lost(slot: Slot, why: string, code?: string): void {
    slot.connection = undefined;
    slot.why = why;
    slot.code = code;
    slot.down = undefined;
    if (this.#isClosed || this.#slots.get(slot.address) !== slot) return;
    if (this.#isWanted(slot.address)) {
      const pause = slot.pauseMs * (0.5 + Math.random() / 2);
      slot.pauseMs = Math.min(pauseMsMax, slot.pauseMs * 2);
      slot.timer = setTimeout(() => this.#dial(slot.address), pause);
      // A program that only waits for a lost node may end.
      slot.timer.unref();
    } else this.#slots.delete(slot.address);
    this.#countDown();
    this.#options.onChange();
  }

  #isWanted(address: string): boolean {
    return this.#nodes.has(address) || this.#options.endpoints.includes(address);
  }

  #learn(
    slot: Slot,
    news: {
      readonly connection: Connection;
      readonly state: RingState;
      readonly down: readonly NodeId[];
    },
  ): void {
    const { connection, state, down } = news;
    if (this.#ring !== undefined && state.clusterId !== this.#ring.clusterId) {
      connection.refuse(
        `${slot.address} is of cluster ${state.clusterId.slice(0, 8)}…, ` +
          `this client of ${this.#ring.clusterId.slice(0, 8)}…`,
      );
      return;
    }
    // Only now: who takes connections and drops them is not back.
    slot.pauseMs = pauseMsMin;
    slot.why = "connected";
    slot.code = undefined;
    slot.down = down;
    if (isNewer(state, this.#ring)) this.#adopt(state);
    this.#countDown();
    this.#options.onChange();
  }

  #adopt(state: RingState): void {
    this.#ring = state;
    const members = state.members.filter((member) => member.state !== "left");
    this.#addresses = new Map(members.map(({ id, address }) => [id, address]));
    this.#nodes = new Map(members.map(({ id, address }) => [address, id]));
    this.#present = members;
    this.#settleNear();
    for (const [address, { timer, connection }] of this.#slots) {
      if (this.#isWanted(address)) continue;
      this.#slots.delete(address);
      clearTimeout(timer);
      connection?.retire();
    }
    const isSmall = members.length <= eagerMembersMax;
    if (this.#nearness.isNamedIn(members)) this.#dialMembers();
    else if (this.#options.isAware && isSmall) this.#dialMembers();
  }

  #countDown(): void {
    const views = [...this.#slots.values()].flatMap(({ down }) => (down ? [down] : []));
    this.#down = downIn(views);
    this.#settleNear();
  }

  #settleNear(): void {
    this.#nearness.judge(this.#present, ({ address }) => {
      const connection = this.#slots.get(address)?.connection;
      return connection?.isUp ? connection.distanceMs : undefined;
    });
  }
}

function isNewer(state: RingState, known: RingState | undefined): boolean {
  if (known === undefined) return true;
  if (state.generation !== known.generation) return state.generation > known.generation;
  return state.epoch > known.epoch;
}
