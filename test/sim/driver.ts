/**
 * The loop of a simulated node: an event goes to its core, and what the core asks for is done, as
 * the runtime's driver does it. A bug in the core is not survived here, it ends the run.
 */
import type { Effect, Event } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Message } from "../../src/core/message.ts";
import type { Happening, Host, Life } from "./host.ts";
import type { Timeline } from "./timeline.ts";
import type { Trace } from "./trace.ts";
import type { Watch } from "./watch.ts";

export interface DriverParts {
  /** From one tick of a node to the next. */
  readonly tickMs: number;
  readonly timeline: Timeline;
  readonly trace: Trace;
  readonly watch: Watch;
  /** May crash the node, which then performs no more. */
  beforeEffect(node: NodeId, effect: Effect): void;
  noticed(node: NodeId, effect: Extract<Effect, { kind: "notice" }>): void;
  /** To another node. */
  post(from: NodeId, to: NodeId, message: Message): void;
}

export class Driver {
  readonly #parts: DriverParts;

  constructor(parts: DriverParts) {
    this.#parts = parts;
  }

  start(host: Host, life: Life): void {
    this.#perform(host, life, life.node.start(life.clock.now()));
    const { timeline, tickMs } = this.#parts;
    const tick = (): void => {
      if (host.life !== life) return;
      timeline.afterQuietly(tickMs, tick);
      if (host.backlog !== undefined) return;
      life.clock.follow();
      this.step(host, life, { kind: "tick" });
    };
    timeline.afterQuietly(tickMs, tick);
  }

  /** Nothing happens to a process that has ended, and to one that stands still it happens later. */
  step(host: Host, life: Life, happening: Happening): void {
    if (host.life !== life) return;
    if (host.backlog !== undefined) {
      host.backlog.push(() => this.step(host, life, happening));
      return;
    }
    const event = { ...happening, now: life.clock.now() } as Event;
    this.#perform(host, life, life.node.step(event));
  }

  #perform(host: Host, life: Life, effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.#parts.beforeEffect(host.id, effect);
      if (host.life !== life) return;
      this.#do(host, life, effect);
    }
  }

  #do(host: Host, life: Life, effect: Effect): void {
    const { timeline, trace, watch } = this.#parts;
    switch (effect.kind) {
      case "send":
        this.#send(host, life, effect.to, effect.message);
        break;
      case "store":
        timeline.stir();
        life.store.run(effect.work, (outcome) => {
          if (host.life === life) watch.stored(host.id, effect.work, outcome);
          timeline.afterQuietly(0, () =>
            this.step(host, life, { kind: "stored", ticket: effect.ticket, outcome }),
          );
        });
        break;
      case "reply": {
        const answer = life.answers.get(effect.id);
        life.answers.delete(effect.id);
        timeline.stir();
        answer?.(effect.result);
        break;
      }
      case "notice":
        trace.note(timeline.now, host.id, effect.notice);
        watch.noticed(host.id, effect.notice);
        this.#parts.noticed(host.id, effect);
        break;
      case "ring":
        watch.installed(host.id, effect.state);
        break;
      case "down":
        break;
    }
  }

  #send(host: Host, life: Life, to: NodeId, message: Message): void {
    this.#parts.watch.sent(host.id, to, message);
    if (to === host.id) {
      this.#parts.timeline.afterQuietly(0, () =>
        this.step(host, life, { kind: "message", from: to, message }),
      );
    } else this.#parts.post(host.id, to, message);
  }
}
