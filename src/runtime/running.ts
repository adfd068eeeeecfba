/**
 * A node at work: the core, its store, its connections and the loop between them, put together and
 * taken apart. Closing lets clients go elsewhere first, answers what is under way, and leaves
 * everything that was acknowledged on the disk.
 */
import { randomBytes } from "node:crypto";
import type { Engine } from "../../native-free-engine/index.ts";
import type { Client, ConnectOptions } from "../client/api.ts";
import { cleanupDefaults } from "../core/cleanup/cleanup.ts";
import { failed } from "../core/failure.ts";
import type { NodeId } from "../core/ids.ts";
import type { Result } from "../core/message.ts";
import { Node } from "../core/node.ts";
import { seededRandom } from "../core/random.ts";
import type { Member, RingState } from "../core/ring/ring-state.ts";
import { ClusterError } from "../errors.ts";
import { metaKey } from "../store/keyspace.ts";
import { Store } from "../store/store.ts";
import { Belonging } from "./belonging.ts";
import { backupsOf, checkpointsOf } from "./checkpoint.ts";
import { clientLimits } from "./client-link.ts";
import { Clients } from "./clients.ts";
import type { Settings } from "./config.ts";
import { ContextKeys } from "./context-keys.ts";
import type { MacKeys } from "./contexts.ts";
import { Counts, statsOf } from "./counts.ts";
import type { Door } from "./door.ts";
import { Driver } from "./driver.ts";
import type { Gate } from "./gate.ts";
import { decodeHello, encodeHello, isNewcomer } from "./handshake.ts";
import { encodeIdentity, identityName, newMacKey } from "./identity.ts";
import { KeepAlive } from "./keep-alive.ts";
import type { Admission, Incoming, Listener } from "./listener.ts";
import type { Log } from "./log.ts";
import type { Membership } from "./membership.ts";
import { Turn } from "./outbox.ts";
import { Peers } from "./peers.ts";
import { type NodeClock, newActor } from "./time.ts";
import { tuningOf } from "./tuning.ts";
import { Welcome } from "./welcome.ts";

export interface RunningNode extends AsyncDisposable {
  /** HOST:PORT under which clients and other nodes reach it. */
  readonly address: string;
  readonly id: NodeId;
  readonly clusterId: string;
  /** `joining`: its plan waits to be committed, and it serves nobody until then. */
  readonly state: Member["state"];
  /** Resolves once it is a member: at once, unless it was started with `stage`. */
  readonly joined: Promise<void>;
  /** Resolves once it is no member any more. What it held is with others; it may be closed. */
  readonly left: Promise<void>;
  /**
   * Resolves if the node had to stop by itself, because its disk failed or its plan was
   * taken back; it is closed then.
   */
  readonly died: Promise<ClusterError>;
  /** Reads again, now, the files of certificates, secrets and tokens that have changed. */
  reload(): void;
  /**
   * A client of the cluster, connected through this node. The caller closes it. Where the node
   * demands a token or certificate, the options must bring one.
   */
  client(options?: ConnectOptions): Promise<Client>;
  /** Idempotent. Settles once nothing is open any more; rejects if the disk refused the end. */
  close(): Promise<void>;
}

export interface RunningParts {
  readonly engine: Engine;
  readonly listener: Listener;
  readonly door: Door;
  readonly gate: Gate;
  readonly membership: Membership;
  readonly settings: Settings;
  readonly log: Log;
  readonly clock: NodeClock;
}

interface Fate {
  readonly died: Promise<ClusterError>;
  /** Closes the node; `died` resolves then. */
  stop(error: ClusterError): void;
}

/** Requests under way at a close are waited for at most so long. */
const drainMsMax = 5_000;
/** Operators' commands that the core knows nothing of: contexts are the edge's affair, … */
const rotation = "rotate-context-key";
/** … and what it has cost to serve is the process's. */
const statistics = "stats";

export class Running implements RunningNode {
  readonly address: string;
  readonly id: NodeId;
  readonly clusterId: string;
  readonly died: Promise<ClusterError>;
  readonly #parts: RunningParts;
  readonly #turn = new Turn();
  readonly #keepAlive = new KeepAlive();
  readonly #counts = new Counts();
  readonly #store: Store;
  readonly #peers: Peers;
  readonly #clients: Clients;
  readonly #driver: Driver;
  readonly #contextKeys: ContextKeys;
  readonly #belonging: Belonging;
  #ring: RingState;
  #closing: Promise<void> | undefined;

  static async start(parts: RunningParts): Promise<Running> {
    let die = (_error: ClusterError): void => undefined;
    const died = new Promise<ClusterError>((resolve) => {
      die = resolve;
    });
    const { engine, membership, log, settings } = parts;
    const { vectorEntriesMax } = settings;
    const store = await Store.open({
      engine,
      newActor,
      partitions: membership.ring.owners.length,
      ...(vectorEntriesMax === undefined ? {} : { vectorEntriesMax }),
      checkpoint: checkpointsOf(engine, {
        backups: settings.backups ?? backupsOf(settings.data),
        id: membership.identity.id,
      }),
      onFatal: (error) => {
        const why = textOf(error);
        log.error("node.died", { why });
        stop(new ClusterError("LOG_FAILED", why, { cause: error }));
      },
      onDamage: (partition, error) => {
        log.error("node.damage", { partition, why: textOf(error) });
        if (partition !== undefined) running.#driver.damage(partition);
      },
    });
    const stop = (error: ClusterError): void => {
      const end = (): void => die(error);
      void running.close().then(end, end);
    };
    const running = new Running(parts, { store, died, stop });
    running.#serve();
    return running;
  }

  private constructor(
    parts: RunningParts,
    { store, died, stop }: Fate & { readonly store: Store },
  ) {
    const { membership, settings, log, clock, gate } = parts;
    const { identity, ring } = membership;
    const majority = Math.floor(ring.n / 2) + 1;
    this.address = identity.address;
    this.id = identity.id;
    this.clusterId = identity.clusterId;
    this.died = died;
    this.#ring = ring;
    this.#parts = parts;
    this.#store = store;
    const shared = { ring, turn: this.#turn, keepAlive: this.#keepAlive, log, gate };
    const now = (): number => clock.now();
    this.#contextKeys = contextKeysOf(parts, (keys) =>
      this.#peers.tell({ kind: "context-keys", keys }),
    );
    this.#belonging = this.#follow(stop);
    const welcome = new Welcome({
      ring: () => this.#ring,
      contextKeys: () => this.#contextKeys.keys,
      now,
      request: (command, answer) => this.#clients.request(command, "a node", answer),
    });
    this.#clients = new Clients({
      ...shared,
      contexts: this.#contextKeys,
      limits: clientLimits,
      submit: (id, command, by) => this.#driver.request(id, command, by),
      answerOwn: (command, by, answer) =>
        this.#answerOwn(command.name, by, answer) || welcome.answer(command, answer),
    });
    this.#peers = new Peers({
      ...shared,
      self: identity.id,
      started: identity.started,
      now,
      deliver: (from, message) => this.#driver.message(from, message),
      doubted: (by, at) => void this.#belonging.doubted(by, at),
      linkChanged: (peer, up) => {
        this.#driver.link(peer, up);
        const { keys } = this.#contextKeys;
        if (up) this.#peers.send(peer, { kind: "context-keys", keys });
      },
      contextKeys: (keys) => this.#contextKeys.learn(keys),
    });
    const { r = majority, w = majority } = settings;
    const { id: self, started } = identity;
    const random = seededRandom(randomBytes(4).readUInt32LE());
    const cleanup = tuningOf("cleanup", cleanupDefaults, settings.tuning);
    this.#driver = new Driver({
      self,
      core: new Node({ self, started, ring, random, r, w, cleanup }),
      counts: this.#counts,
      clock,
      log,
      store,
      send: (to, message) => this.#peers.send(to, message),
      reply: (id, result) => this.#clients.reply(id, result),
      ringChanged: (state) => this.#ringChanged(state),
      downChanged: (nodes) => this.#clients.setDown(nodes),
    });
  }

  get state(): Member["state"] {
    return this.#belonging.state;
  }

  get joined(): Promise<void> {
    return this.#belonging.joined;
  }

  get left(): Promise<void> {
    return this.#belonging.left;
  }

  async client(options?: ConnectOptions): Promise<Client> {
    const { connect } = await import("../client/client.ts");
    const tls = this.#parts.gate.tls();
    return connect(this.address, { ...(tls && { tls: { ca: tls.ca } }), ...options });
  }

  reload(): void {
    this.#parts.gate.reload();
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(): void {
    const { door, log, gate } = this.#parts;
    this.#driver.start();
    door.open((incoming) => this.#admit(incoming));
    gate.onLook((changed) => {
      if (changed.has("authority") || changed.has("secrets")) this.#peers.judgeAgain();
      this.#clients.judgeAgain(changed.has("authority") ? "doubt-certificates" : undefined);
    });
    log.info("node.serving", { id: this.id, address: this.address, clusterId: this.clusterId });
  }

  /** What the ring says of this node from now on. */
  #follow(stop: Fate["stop"]): Belonging {
    const { membership, log, clock, gate } = this.#parts;
    const { id } = membership.identity;
    const parts = {
      ...{ self: id, gate, now: () => clock.now() },
      onRefused: () => stop(refusedError(id)),
      onLeft: () => log.warn("node.left", { id }),
      onRing: (from: NodeId, state: RingState) =>
        this.#driver.message(from, { kind: "ring", state }),
    };
    return new Belonging(parts, membership.ring);
  }

  #admit(incoming: Incoming): Admission {
    if (incoming.protocol === "client") return this.#clients.admit(incoming);
    const hello = decodeHello(incoming.headers);
    if (hello === undefined || !isNewcomer(hello)) return this.#peers.admit(incoming);
    const verdict = this.#parts.gate.judgePeer(incoming, encodeHello(hello));
    if (verdict.kind === "refused") return verdict;
    return this.#clients.admitNewcomer(incoming, verdict.headers);
  }

  /** False when it is not one of this node's own commands. */
  #answerOwn(name: string, by: string, answer: (result: Result) => void): boolean {
    if (name === statistics) {
      const stats = statsOf(this.id, this.#parts.engine.stats(), this.#counts);
      answer({ kind: "answer", json: JSON.stringify(stats) });
    } else if (name === rotation) void this.#rotate(by).then(answer);
    else return false;
    return true;
  }

  async #rotate(by: string): Promise<Result> {
    const result = await this.#contextKeys.rotate().then(
      (number): Result => ({ kind: "answer", json: JSON.stringify({ number }) }),
      (error) => failed("IO", `the new key could not be kept: ${textOf(error)}`),
    );
    const outcome = result.kind === "failed" ? result.code : "ok";
    this.#parts.log.audit("command.done", { act: rotation, by, outcome });
    return result;
  }

  #ringChanged(state: RingState): void {
    this.#ring = state;
    this.#belonging.follow(state);
    this.#peers.setRing(state);
    this.#clients.setRing(state);
  }

  async #shutDown(): Promise<void> {
    const { door, listener, engine, log, gate } = this.#parts;
    door.shut();
    gate.close();
    this.#contextKeys.close();
    listener.stopAccepting();
    await this.#clients.drain(drainMsMax);
    this.#driver.stop();
    this.#clients.close();
    this.#peers.close();
    this.#keepAlive.stop();
    try {
      await this.#store.close();
    } finally {
      // Each is closed whatever becomes of the one before.
      await Promise.allSettled([engine.close(), listener.close()]).then(([engineClosed]) => {
        if (engineClosed.status === "rejected") throw engineClosed.reason;
      });
    }
    log.info("node.closed", { id: this.id });
  }
}

function refusedError(id: NodeId): ClusterError {
  const message = `the plan to let this node in as node ${id} was taken back`;
  return new ClusterError("JOIN_ABORTED", `${message}; its directory is of no further use`);
}

function contextKeysOf(
  { membership, engine, log }: RunningParts,
  tell: (keys: MacKeys) => void,
): ContextKeys {
  const { identity } = membership;
  return new ContextKeys({
    clusterId: identity.clusterId,
    keys: identity.contextKeys,
    newKey: newMacKey,
    save: (contextKeys) => {
      const record = encodeIdentity({ ...identity, contextKeys });
      return engine.put(metaKey(identityName), record, { sync: true });
    },
    tell,
    failed: (error) => log.error("context-key.not-kept", { why: textOf(error) }),
  });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
