/**
 * The only loop of a node: an event goes to the core, and what the core asks for is done. Messages
 * to the node itself come back as events without touching a socket. A bug in the core costs the
 * event in hand, is logged, and the node goes on: others must not be able to end it.
 */
import type { Effect, Event, Notice, StoreOutcome, StoreWork } from "../core/event.ts";
import { failed } from "../core/failure.ts";
import type { Millis, NodeId, Partition, RequestId } from "../core/ids.ts";
import type { Command, Message, Result } from "../core/message.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import type { Counts } from "./counts.ts";
import { Inbox } from "./inbox.ts";
import { type Log, seldom } from "./log.ts";
import type { NodeClock } from "./time.ts";

/** The core's side of the contract. */
export interface Core {
  start(now: Millis): readonly Effect[];
  step(event: Event): readonly Effect[];
}

export interface DriverParts {
  readonly self: NodeId;
  readonly core: Core;
  readonly clock: NodeClock;
  readonly log: Log;
  readonly counts: Counts;
  readonly store: { run(work: StoreWork, done: (outcome: StoreOutcome) => void): void };
  send(to: NodeId, message: Message): void;
  reply(id: RequestId, result: Result): void;
  ringChanged(state: RingState): void;
  downChanged(nodes: readonly NodeId[]): void;
}

const tickMs = 10;
/** For a microtask: `queueMicrotask` makes a resource that others could follow, at a µs each. */
const settled = Promise.resolve();

export class Driver {
  readonly #parts: DriverParts;
  readonly #inbox = new Inbox((event) => this.#handle(event));
  readonly #sayRefused: (refused: { readonly what: string; readonly why: string }) => void;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #time: Millis = 0;
  #isTimely = false;

  constructor(parts: DriverParts) {
    this.#parts = parts;
    this.#sayRefused = seldom((refused, suppressed) =>
      parts.log.warn("core.refused", { ...refused, suppressed }),
    );
  }

  start(): void {
    const { core, clock } = this.#parts;
    this.#inbox.open(() => this.#perform(core.start(this.#now())));
    this.#timer = setInterval(() => {
      clock.follow();
      this.#isTimely = false;
      this.#inbox.push({ kind: "tick", now: this.#now() });
    }, tickMs);
  }

  /** Nothing happens to the core any more. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  message(from: NodeId, message: Message): void {
    this.#inbox.push({ kind: "message", now: this.#now(), from, message });
  }

  request(id: RequestId, command: Command, by: string): void {
    this.#parts.counts.request(command.kind);
    this.#inbox.push({ kind: "request", now: this.#now(), id, command, by });
  }

  damage(partition: Partition): void {
    this.#inbox.push({ kind: "damage", now: this.#now(), partition });
  }

  link(peer: NodeId, up: boolean): void {
    this.#inbox.push({ kind: "link", now: this.#now(), peer, up });
  }

  /** One time for all messages of a frame: to look at the clock takes as long as some events. */
  #now(): Millis {
    if (!this.#isTimely) {
      this.#isTimely = true;
      this.#time = this.#parts.clock.now();
      void settled.then(this.#timePasses);
    }
    return this.#time;
  }

  readonly #timePasses = (): void => {
    this.#isTimely = false;
  };

  #handle(event: Event): void {
    if (this.#isStopped) return;
    try {
      this.#perform(this.#parts.core.step(event));
    } catch (error) {
      this.#failed(event, error);
    }
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "send":
          if (effect.to === this.#parts.self) this.message(effect.to, effect.message);
          else this.#send(effect.to, effect.message);
          break;
        case "store":
          this.#store(effect.ticket, effect.work);
          break;
        case "reply":
          this.#parts.reply(effect.id, effect.result);
          break;
        case "ring":
          this.#parts.ringChanged(effect.state);
          break;
        case "down":
          this.#parts.downChanged([...effect.nodes, ...effect.filling]);
          break;
        case "notice":
          this.#notice(effect.notice);
          break;
      }
    }
  }

  #send(to: NodeId, message: Message): void {
    this.#parts.counts.sent(message.kind);
    this.#parts.send(to, message);
  }

  #store(ticket: number, work: StoreWork): void {
    this.#parts.store.run(work, (outcome) =>
      this.#inbox.push({ kind: "stored", now: this.#now(), ticket, outcome }),
    );
  }

  #failed(event: Event, error: unknown): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.log.error("core.failed", { event: event.kind, what });
    if (event.kind !== "request") return;
    const message = "the node met a bug of its own; its log says more";
    this.#parts.reply(event.id, failed("INTERNAL", message, { applied: "maybe" }));
  }

  #notice(notice: Notice): void {
    const { kind, ...fields } = notice;
    const { log, counts } = this.#parts;
    counts.notice(kind);
    switch (notice.kind) {
      case "down":
      case "up":
      case "epoch":
        log.info(`node.${kind}`, fields);
        break;
      case "forgotten":
        // Its directory was put back from a copy: it is filled again from the others.
        log.warn("node.forgotten", fields);
        break;
      case "moves-stuck":
        log.warn("node.moves-stuck", fields);
        break;
      case "refused":
        this.#sayRefused({ what: notice.what, why: notice.why });
        break;
      case "audit":
        log.audit("command.done", fields);
        break;
      case "read-repair":
        // Keys are the users' affair: a log says that one was repaired, not which.
        log.debug("node.read-repair", { node: notice.node });
        break;
      default:
        log.debug(`node.${kind}`, fields);
    }
  }
}
