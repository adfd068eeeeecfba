/** Agreeing on epochs. Under construction: only a lone member decides. */
import type { Out } from "../event.ts";
import { failed } from "../failure.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { EpochMessage, Failed } from "../message.ts";
import type { Random } from "../random.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { RingView } from "../views.ts";

export interface EpochParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  ring(): RingView;
  encode(state: RingState): Uint8Array;
  decode(bytes: Uint8Array): RingState | undefined;
  onDecided(state: RingState, now: Millis): void;
}

/** To be replaced by consensus: whoever proposes, decides. */
export class Epochs {
  readonly #parts: EpochParts;

  constructor(parts: EpochParts) {
    this.#parts = parts;
  }

  start(_now: Millis): void {}
  tick(_now: Millis): void {}

  seen(_now: Millis, node: NodeId, epoch: number): void {
    const { state } = this.#parts.ring();
    if (epoch < state.epoch) this.#parts.out.send(node, { kind: "ring", state });
    else if (epoch > state.epoch) this.#parts.out.send(node, { kind: "ring-ask" });
  }

  receive(now: Millis, from: NodeId, message: EpochMessage): void {
    const { state } = this.#parts.ring();
    if (message.kind === "ring-ask") this.#parts.out.send(from, { kind: "ring", state });
    else if (message.kind === "ring" && message.state.epoch > state.epoch) {
      this.#decide(message.state, now, () => {});
    }
  }

  propose(
    now: Millis,
    change: (state: RingState) => RingState | Failed,
    done: (outcome: RingState | Failed) => void,
    _timeoutMs: Millis,
  ): void {
    const next = change(this.#parts.ring().state);
    if ("kind" in next) done(next);
    else this.#decide(next, now, done);
  }

  #decide(state: RingState, now: Millis, done: (outcome: RingState | Failed) => void): void {
    const bytes = this.#parts.encode(state);
    this.#parts.out.store({ kind: "save-meta", name: "ring", bytes }, (outcome) => {
      if (outcome.kind === "failed") return done(failed(outcome.code, outcome.message));
      this.#parts.onDecided(state, now);
      for (const { id } of state.members) {
        if (id !== this.#parts.self) this.#parts.out.send(id, { kind: "ring", state });
      }
      done(state);
    });
  }
}
