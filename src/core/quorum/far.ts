/**
 * The copies of one write for other data centres: one message each, to one owner there, which
 * passes it on to the others and acknowledges once for all of them (relay.ts). No client waits for
 * these. Who does not answer is followed by another owner of that data centre. Where none is left
 * to ask, this node keeps one hint for all of them, under the name of the first: it is delivered
 * like the write itself, to one of them that passes it on.
 */
import type { Millis, NodeId, RequestId } from "../ids.ts";
import type { Key } from "../key.ts";
import type { Written } from "./copies.ts";
import type { FlightParts } from "./parts.ts";
import type { Trace } from "./trace.ts";

/** Owners asked in one data centre before the write becomes a hint. */
const triesMax = 2;

export interface FarOptions {
  readonly id: RequestId;
  readonly key: Key;
  readonly deadlineMs: Millis;
  /** For each other data centre its holders of the key. */
  readonly groups: readonly (readonly NodeId[])[];
  readonly trace: Trace | undefined;
}

interface Group {
  readonly holders: readonly NodeId[];
  /** Who was asked, the last of them now. */
  readonly tried: NodeId[];
  sentAt: Millis;
  isSettled: boolean;
}

export class FarCopies {
  readonly #parts: FlightParts;
  readonly #options: FarOptions;
  readonly #groups: readonly Group[];
  #written: Written | undefined;

  constructor(parts: FlightParts, options: FarOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#groups = options.groups.map((holders) => ({
      ...{ holders, tried: [], sentAt: 0, isSettled: false },
    }));
  }

  send(now: Millis, written: Written): void {
    this.#written = written;
    for (const group of this.#groups) this.#next(now, group);
  }

  acknowledge(now: Millis, from: NodeId, refusal: string | undefined): void {
    const group = this.#groups.find(({ tried }) => tried.includes(from));
    if (group === undefined || group.isSettled) return;
    this.#options.trace?.add(now, from, refusal ?? "durable in its data centre");
    if (refusal === undefined) {
      group.isSettled = true;
      this.#parts.liveness.answered(from, now, now - group.sentAt);
    } else if (from === group.tried.at(-1)) this.#next(now, group);
  }

  /** The dead are followed by another at once, the silent after their time. */
  look(now: Millis): void {
    if (this.#written === undefined) return;
    const { liveness, tuning } = this.#parts;
    for (const group of this.#groups) {
      const asked = group.tried.at(-1);
      if (group.isSettled || asked === undefined) continue;
      const isDead = !liveness.isLive(asked);
      if (!isDead && now - group.sentAt < tuning.relayAfterMs) continue;
      if (!isDead) liveness.missed(asked, now);
      this.#options.trace?.add(now, asked, isDead ? "is dead" : "does not answer");
      this.#next(now, group);
    }
  }

  /** What is not acknowledged becomes a hint: the write need not be remembered here any longer. */
  giveUp(now: Millis): void {
    for (const group of this.#groups) if (!group.isSettled) this.#keepHint(now, group);
  }

  isAwaited(): boolean {
    return this.#written !== undefined && this.#groups.some(({ isSettled }) => !isSettled);
  }

  #next(now: Millis, group: Group): void {
    const target = group.tried.length < triesMax ? this.#choose(group) : undefined;
    if (target === undefined || this.#written === undefined) {
      this.#keepHint(now, group);
      return;
    }
    const { id, key, deadlineMs } = this.#options;
    const { versions, round } = this.#written;
    group.tried.push(target);
    group.sentAt = now;
    this.#parts.out.send(target, {
      ...{ kind: "write", request: id, key, versions, round, hintFor: [], repair: false },
      relay: group.holders.filter((node) => node !== target),
      deadlineMs,
    });
  }

  /** One write after the other begins with another owner: all carry their part of the traffic. */
  #choose({ holders, tried }: Group): NodeId | undefined {
    const { liveness } = this.#parts;
    for (let i = 0; i < holders.length; i++) {
      const node = holders[(this.#options.id + i) % holders.length];
      if (node !== undefined && !tried.includes(node) && liveness.isLive(node)) return node;
    }
    return undefined;
  }

  /** When there is no room for it, comparing the copies brings the write there later. */
  #keepHint(now: Millis, group: Group): void {
    group.isSettled = true;
    const [target] = group.holders;
    if (this.#written === undefined || target === undefined) return;
    const { key, trace } = this.#options;
    const { versions, round } = this.#written;
    const { out, self } = this.#parts;
    trace?.add(now, self, `keeps a hint for the data centre of ${target}`);
    out.store(
      { kind: "keep-hints", targets: [target], entry: { key, versions }, round },
      ({ kind }) => {
        if (kind === "durable") out.notice({ kind: "hint-kept", target });
      },
    );
  }
}
