/**
 * A few nodes, each with a coordinator, a replica and a store, on a network that delivers at once
 * and in order unless told otherwise. Everything that happens is one line of `log`. Time stands
 * still until the test moves it.
 */
import type { CausalContext, Versions } from "../../src/core/clock/versions.ts";
import type { Notice, Out } from "../../src/core/event.ts";
import type { NodeId, Partition } from "../../src/core/ids.ts";
import { type Key, keyOf } from "../../src/core/key.ts";
import type { Message, ReplicaMessage, Result, Standing } from "../../src/core/message.ts";
import { Coordinator } from "../../src/core/quorum/coordinator.ts";
import { type QuorumTuning, quorumDefaults } from "../../src/core/quorum/parts.ts";
import type { DataCommand } from "../../src/core/quorum/validate.ts";
import { seededRandom } from "../../src/core/random.ts";
import { Replica } from "../../src/core/replica.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { LivenessView, RingView } from "../../src/core/views.ts";
import { QuorumStore } from "./quorum-store.ts";

export interface WorldOptions {
  readonly nodes: number;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly owners: readonly NodeId[];
  readonly future?: readonly NodeId[];
  /** Who is in a second data centre. */
  readonly away?: readonly NodeId[];
  readonly tuning?: Partial<QuorumTuning>;
}

interface Letter {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

type Link = "open" | "held" | "lost";

export class QuorumNode {
  readonly store: QuorumStore;
  readonly dead = new Set<NodeId>();
  readonly latencies = new Map<NodeId, number>();
  readonly answers: { node: NodeId; tookMs: number }[] = [];
  readonly missed: NodeId[] = [];
  /** Those who have said nothing at all since they were asked. */
  readonly mute = new Set<NodeId>();
  standing: Standing = "current";
  /** It has not met its peers yet: it says nothing of what it holds. */
  isStarting = false;
  readonly coordinator: Coordinator;
  readonly replica: Replica;

  constructor(world: QuorumWorld, id: NodeId, { r, w, tuning }: WorldOptions) {
    this.store = new QuorumStore(id);
    const ring = world.ringOf(id);
    const liveness: LivenessView = {
      isLive: (node) => node === id || !this.dead.has(node),
      latencyMs: (node) => this.latencies.get(node) ?? (node === id ? 0 : 1),
      answered: (node, _now, tookMs) => this.answers.push({ node, tookMs }),
      late: (node) => this.mute.has(node),
      missed: (node) => this.missed.push(node),
    };
    const parts = {
      ...{ self: id, out: world.outOf(id, this), ring: () => ring, liveness, r, w },
      standing: { of: () => this.standing },
      cleanup: { isSettled: () => !this.isStarting },
      random: seededRandom(id),
      ...{ started: world.started, startedOf: () => world.started },
      tuning: { ...quorumDefaults, ...tuning },
    };
    this.coordinator = new Coordinator(parts);
    this.replica = new Replica(parts);
  }
}

/** Every key is in the first. */
class OnePartition extends Ring {
  override partitionOf(): Partition {
    return 0;
  }
}

export class QuorumWorld {
  now = 1_000_000;
  /** When every process of it started. */
  readonly started = 1_000;
  readonly log: string[] = [];
  readonly results: Result[] = [];
  readonly #options: WorldOptions;
  readonly #nodes: QuorumNode[];
  readonly #queue: (() => void)[] = [];
  readonly #links = new Map<string, Link>();
  /** The number of the latest request that a message was sent for. */
  lastRequest = 0;
  readonly #held: Letter[] = [];
  #operations = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#nodes = Array.from(
      { length: options.nodes },
      (_, i) => new QuorumNode(this, i + 1, options),
    );
  }

  node(id: NodeId): QuorumNode {
    const node = this.#nodes[id - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** Everybody, itself left out, takes it for dead; what is sent to it is lost. */
  down(id: NodeId): void {
    this.#nodes.forEach((node, i) => {
      if (i + 1 !== id) node.dead.add(id);
      this.link(i + 1, id, "lost");
      this.link(id, i + 1, "lost");
    });
  }

  up(id: NodeId): void {
    this.#nodes.forEach((node, i) => {
      node.dead.delete(id);
      this.link(i + 1, id, "open");
      this.link(id, i + 1, "open");
    });
  }

  link(from: NodeId, to: NodeId, state: Link): void {
    if (from !== to) this.#links.set(`${from}>${to}`, state);
    if (state !== "open") return;
    const freed = this.#held.filter((letter) => letter.from === from && letter.to === to);
    for (const letter of freed) {
      this.#held.splice(this.#held.indexOf(letter), 1);
      this.#queue.push(() => this.#deliver(letter));
    }
  }

  /** Returns the number of the request: its result will be at that place of `results`. */
  request(at: NodeId, command: DataCommand): void {
    this.node(at).coordinator.request(this.now, command, (result) => {
      this.results.push(result);
      this.log.push(`n${at} answers ${this.describe(result)}`);
    });
    this.settle();
  }

  /** As if node 5 passed it on. */
  forwarded(to: NodeId, command: DataCommand, started = this.started): void {
    const message = { kind: "forward" as const, request: 1, started, command };
    this.node(to).coordinator.receive(this.now, 5, message);
  }

  /** Delivers until nothing is on its way. */
  settle(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now = Math.min(this.now + 10, end);
      for (const node of this.#nodes) node.coordinator.tick(this.now);
      this.settle();
    }
  }

  get(key: Key, more: Partial<DataCommand & { kind: "get" }> = {}): DataCommand {
    const usual = { r: undefined, strict: false, deadlineMs: 5_000, trace: false };
    return { kind: "get", key, ...usual, ...more };
  }

  put(key: Key, value: string | undefined, more: Partial<DataCommand & { kind: "put" }> = {}) {
    this.#operations += 1;
    const command: DataCommand & { kind: "put" } = {
      kind: "put",
      key,
      context: undefined,
      value: value === undefined ? undefined : new TextEncoder().encode(value),
      ttlMs: 0,
      operation: { at: this.now, nonce: this.#operations, retried: false },
      ...{ w: undefined, strict: false, deadlineMs: 5_000, trace: false },
      ...more,
    };
    return command;
  }

  /** One partition matters; the ring knows sixteen. */
  ringOf(self: NodeId): RingView {
    const { nodes, n, owners, future, away = [] } = this.#options;
    const members = Array.from({ length: nodes }, (_, i) => ({
      ...{ id: i + 1, address: `n${i + 1}:7400`, rack: "r1", weight: 1, state: "member" as const },
      dc: away.includes(i + 1) ? "dc2" : "dc1",
    }));
    const all = Array.from({ length: 16 }, (_, partition) => partition);
    const to = future ?? [];
    return new OnePartition(
      {
        ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n, members },
        owners: all.map(() => owners),
        moves: to.length === 0 ? [] : all.map((partition) => ({ partition, to })),
        ...{ buckets: [], staged: [] },
      },
      self,
    );
  }

  outOf(self: NodeId, node: QuorumNode): Out {
    return {
      send: (to, message) => this.#send({ from: self, to, message }),
      store: (work, then) => {
        node.store.run(work, (outcome) => {
          this.#queue.push(() => {
            const isSaid = ["durable", "merged", "failed"].includes(outcome.kind);
            const what = outcome.kind === "failed" ? outcome.code : outcome.kind;
            if (isSaid) this.log.push(`n${self} ${work.kind}: ${what}`);
            then(outcome, this.now);
          });
        });
      },
      notice: (notice) => this.log.push(`n${self} notes ${noticed(notice)}`),
    };
  }

  describe(result: Result): string {
    switch (result.kind) {
      case "found": {
        const values = result.values.map((value) => new TextDecoder().decode(value));
        const flag = result.degraded ? ", degraded" : "";
        const seen = contextText(result.context);
        const what = values.join(" | ") || "nothing";
        return `found ${what} ${seen}, fastest n${result.fastest}${flag}`;
      }
      case "stored":
        return `stored, ${result.acks} acks, context ${contextText(result.context)}`;
      case "page": {
        const keys = result.entries.map(({ key }) => new TextDecoder().decode(key.bytes));
        return `page ${keys.join(" ")}${result.next === undefined ? "" : ", more"}`;
      }
      case "failed":
        return `${result.code} (applied: ${result.applied}) ${result.message}`;
      default:
        return result.kind;
    }
  }

  #send(letter: Letter): void {
    if ("request" in letter.message) this.lastRequest = letter.message.request;
    const state = this.#links.get(`${letter.from}>${letter.to}`) ?? "open";
    const fate = state === "open" ? "" : ` (${state})`;
    this.log.push(`n${letter.from} > n${letter.to} ${messageText(letter.message)}${fate}`);
    if (state === "open") this.#queue.push(() => this.#deliver(letter));
    else if (state === "held") this.#held.push(letter);
  }

  #deliver({ from, to, message }: Letter): void {
    const node = this.node(to);
    const { kind } = message;
    const isRelayed = message.kind === "write" && message.relay.length > 0;
    const isQuestion = kind === "read" || kind === "list" || (kind === "write" && !isRelayed);
    const receiver = isQuestion ? node.replica : node.coordinator;
    receiver.receive(this.now, from, message as ReplicaMessage);
  }
}

export function keyNamed(name: string): Key {
  return keyOf("", new TextEncoder().encode(name));
}

/** Events that follow on the vector's are shown as part of it: its form is no matter here. */
function contextText({ vector, dots }: CausalContext): string {
  const known = new Map(vector.map(({ actor, counter }) => [actor, counter]));
  const beyond: string[] = [];
  for (const { actor, counter } of dots) {
    if (counter === (known.get(actor) ?? 0) + 1) known.set(actor, counter);
    else beyond.push(`${nodeOf(actor)}:${counter}`);
  }
  const reached = [...known].sort().map(([actor, counter]) => `${nodeOf(actor)}:${counter}`);
  return `{${[...reached, ...beyond].join(" ")}}`;
}

function nodeOf(actor: string): string {
  return `n${Number(`0x${actor}`)}`;
}

function versionsText(versions: Versions): string {
  const { siblings, vector, dots } = versions;
  const values = siblings.map(({ value }) => new TextDecoder().decode(value));
  if (vector.length + dots.length + siblings.length === 0) return "nothing";
  return `${values.join(" | ") || "deleted"} ${contextText(versions)}`;
}

function messageText(message: Message): string {
  switch (message.kind) {
    case "read":
      return message.full ? "read" : "read digest";
    case "read-reply": {
      const { failure, standing, versions } = message;
      if (failure !== undefined) return `fails ${failure}`;
      const whole = versions === undefined ? "digest" : versionsText(versions);
      return `has ${whole}${standing === "current" ? "" : `, ${standing}`}`;
    }
    case "write": {
      const hints = message.hintFor.map((node) => `n${node}`).join(" ");
      const relay = message.relay.map((node) => `n${node}`).join(" ");
      const suffix = `${hints && ` for ${hints}`}${relay && ` to pass on to ${relay}`}`;
      return `${message.repair ? "repair" : "write"} ${versionsText(message.versions)}${suffix}`;
    }
    case "write-reply":
      return `${message.outcome}${message.failure === undefined ? "" : ` ${message.failure}`}`;
    case "forward": {
      const isRetried = message.command.kind === "put" && message.command.operation.retried;
      return `forward${isRetried ? ", retried" : ""}`;
    }
    case "forward-reply":
      return `forwarded: ${message.result.kind}`;
    case "list-reply":
      return `lists ${message.entries.length} keys${message.isEnd ? "" : ", more"}`;
    default:
      return message.kind;
  }
}

function noticed(notice: Notice): string {
  switch (notice.kind) {
    case "hint-kept":
      return `a hint kept for n${notice.target}`;
    case "read-repair":
      return `n${notice.node} is behind`;
    case "hedged":
      return `a hedge: n${notice.node}`;
    default:
      return notice.kind;
  }
}
