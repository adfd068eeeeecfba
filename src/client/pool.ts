/**
 * The connections of one client: to the endpoints it was given and, once a node has told it the
 * ring, to every member that it needs. A connection that breaks is made again, with a growing and
 * jittered pause. Nothing here throws or emits an event that somebody must handle.
 */
import type { NodeId } from "../core/ids.ts";
import type { Key } from "../core/key.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { Connection } from "./connection.ts";
import { routeOf } from "./routing.ts";

/** Members that are dialled before they are needed; in larger clusters each at its first use. */
const eagerMembersMax = 16;
const pauseMsMin = 50;
const pauseMsMax = 2_000;

interface Slot {
  connection: Connection | undefined;
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
  /** Why the last attempt failed. */
  why: string;
}

export interface PoolOptions {
  readonly endpoints: readonly string[];
  readonly isAware: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Something changed that may let waiting calls go on. */
  onChange(): void;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #slots = new Map<string, Slot>();
  #ring: RingState | undefined;
  #down: ReadonlySet<NodeId> = new Set();
  #turn = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    for (const address of options.endpoints) this.#dial(address);
  }

  get ring(): RingState | undefined {
    return this.#ring;
  }

  /** Connections that may take this request, best first. */
  route(key: Key | undefined, preferred: NodeId): readonly Connection[] {
    const now = performance.now();
    const addresses = this.#addresses();
    const route = this.#options.isAware
      ? routeOf(key, {
          ring: this.#ring,
          down: this.#down,
          addresses,
          preferred,
          latencyMs: (address) => this.#slots.get(address)?.connection?.latencyMs ?? 1,
        })
      : addresses;
    const usable: Connection[] = [];
    const avoided: Connection[] = [];
    for (const address of route) {
      const connection = this.#connectionTo(address);
      if (connection === undefined) continue;
      if (connection.avoidUntil > now || connection.isFull) avoided.push(connection);
      else usable.push(connection);
    }
    return avoided.length === 0 ? usable : [...usable, ...avoided];
  }

  /** Why no endpoint can be reached, each with its reason. */
  describeFailures(): string {
    const failures = [...this.#slots].map(([address, { why }]) => `${address} (${why})`);
    return failures.length === 0 ? "no endpoint is known" : failures.join(", ");
  }

  /** No attempt is under way any more, and none has worked. */
  get hasFailed(): boolean {
    return [...this.#slots.values()].every(({ connection }) => connection === undefined);
  }

  close(): void {
    this.#isClosed = true;
    for (const slot of this.#slots.values()) {
      clearTimeout(slot.timer);
      slot.connection?.close();
    }
  }

  /**
   * Endpoints and members, beginning with another one each time, so that load spreads. Who asks
   * for any node means those it named, while one of them is there.
   */
  #addresses(): readonly string[] {
    const { endpoints, isAware } = this.#options;
    if (!isAware && endpoints.some((address) => this.#slots.get(address)?.connection?.isUsable)) {
      return endpoints;
    }
    const members = this.#ring?.members.filter(({ state }) => state !== "left") ?? [];
    const all = [...new Set([...members.map(({ address }) => address), ...this.#slots.keys()])];
    this.#turn = (this.#turn + 1) % Math.max(1, all.length);
    return [...all.slice(this.#turn), ...all.slice(0, this.#turn)];
  }

  #connectionTo(address: string): Connection | undefined {
    const slot = this.#slots.get(address);
    if (slot === undefined) this.#dial(address);
    return slot?.connection?.isUsable ? slot.connection : undefined;
  }

  #dial(address: string): void {
    if (this.#isClosed) return;
    let slot = this.#slots.get(address);
    if (slot === undefined) {
      slot = { connection: undefined, pauseMs: pauseMsMin, timer: undefined, why: "connecting" };
      this.#slots.set(address, slot);
    }
    const made = slot;
    made.timer = undefined;
    made.connection = new Connection(address, this.#options.headers, {
      opened: () => {
        made.pauseMs = pauseMsMin;
        this.#options.onChange();
      },
      closed: (_connection, why) => this.#lost(address, made, why),
      ringNews: (state, down) => this.#learn(state, down),
    });
  }

  #lost(address: string, slot: Slot, why: string): void {
    slot.connection = undefined;
    slot.why = why;
    if (this.#isClosed) return;
    if (this.#isWanted(address)) {
      const pause = slot.pauseMs * (0.5 + Math.random() / 2);
      slot.pauseMs = Math.min(pauseMsMax, slot.pauseMs * 2);
      slot.timer = setTimeout(() => this.#dial(address), pause);
      // A program that only waits for a lost node may end.
      slot.timer.unref();
    } else this.#slots.delete(address);
    this.#options.onChange();
  }

  #isWanted(address: string): boolean {
    if (this.#options.endpoints.includes(address)) return true;
    const member = this.#ring?.members.find((known) => known.address === address);
    return member !== undefined && member.state !== "left";
  }

  #learn(state: RingState, down: readonly NodeId[]): void {
    const isOlder =
      this.#ring !== undefined &&
      (state.generation < this.#ring.generation ||
        (state.generation === this.#ring.generation && state.epoch < this.#ring.epoch));
    if (isOlder) return;
    this.#ring = state;
    this.#down = new Set(down);
    const members = state.members.filter((member) => member.state !== "left");
    if (this.#options.isAware && members.length <= eagerMembersMax) {
      for (const { address } of members) if (!this.#slots.has(address)) this.#dial(address);
    }
    this.#options.onChange();
  }
}
