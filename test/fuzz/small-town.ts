/**
 * One node of four and its store. The others are whoever tells it something: what it answers is
 * only looked at.
 */
import type { Effect, StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { Message, Result } from "../../src/core/message.ts";
import { Node } from "../../src/core/node.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { decodeFrame, FrameWriter } from "../../src/core/wire/codec.ts";
import { parseStrictJson } from "../../src/runtime/strict-json.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { memberOf } from "../support/replica-town.ts";

export const partitions = 2;
/** Store work and messages to itself that follow from one event, all told. */
const stepsMax = 20_000;
const row = [1, 2, 3];
export const ring: RingState = {
  ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 5, n: 3 },
  ...{ members: [1, 2, 3, 4].map((id) => memberOf(id)), owners: [row, row] },
  ...{ moves: [{ partition: 1, to: [1, 2, 4] }], buckets: [], staged: [] },
};

type Told = Parameters<Node["step"]>[0];

/** One node and its store; nobody else answers. */
export class SmallTown {
  readonly #store = new MemoryStore(partitions);
  readonly #node = new Node({
    ...{ self: 1, started: 1, ring, random: seededRandom(1), r: 2, w: 2 },
  });
  readonly #writer = new FrameWriter();
  readonly sent: (readonly [to: number, message: Message])[] = [];
  readonly replies: Result[] = [];
  #now = 1000;

  constructor() {
    this.#perform(this.#node.start(this.#now));
    this.#perform(this.#node.step({ kind: "tick", now: this.#now }));
  }

  /** Whether it did more than to take notice. */
  tell(event: Told): boolean {
    this.#now = Math.max(this.#now, event.now);
    const message = event.kind === "message" ? passedOn(event.message) : undefined;
    if (event.kind === "message" && message === undefined) return false;
    const told = message === undefined ? event : { ...event, message };
    const did = this.#perform(this.#node.step({ ...told, now: this.#now } as Told));
    this.#now += 100;
    this.#perform(this.#node.step({ kind: "tick", now: this.#now }));
    return did;
  }

  #perform(effects: readonly Effect[]): boolean {
    const queue = [...effects];
    let steps = 0;
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      steps += 1;
      if (steps > stepsMax) throw new Error("there is no end to what follows");
      if (effect.kind === "reply") this.#replied(effect.result);
      if (effect.kind === "send") queue.push(...this.#send(effect.to, effect.message));
      if (effect.kind !== "store") continue;
      const outcome = this.#done(effect.work);
      queue.push(...this.#node.step({ ...effect, kind: "stored", now: this.#now, outcome }));
    }
    return effects.some(({ kind }) => kind !== "notice");
  }

  #replied(result: Result): void {
    this.replies.push(result);
    if (result.kind === "answer") parseStrictJson(result.json);
  }

  /** A real store has as many trees and floors as there are partitions, and no more. */
  #done(work: StoreWork): StoreOutcome {
    if ("partition" in work && !(work.partition >= 0 && work.partition < partitions)) {
      throw new Error(`the store is asked to ${work.kind} of partition ${work.partition}`);
    }
    const floor = { round: 0, expiredBefore: 0, events: [] };
    switch (work.kind) {
      case "read":
        return { kind: "versions", versions: this.#store.versionsOf(work.key), round: 0 };
      case "write":
        return { kind: "failed", code: "DISK_FULL", message: "no space", applied: "no" };
      case "measure":
        return { kind: "measured", bytes: 5 };
      case "checkpoint":
        return { kind: "checkpointed", path: work.name, bytes: 1, keys: 1 };
      case "survey-rounds":
        return { kind: "rounds", rounds: [] };
      case "cut":
        return { kind: "cut", ready: true, round: 0, promised: 0, events: [] };
      case "loose":
        return { kind: "loose", isFree: true };
      case "read-floor":
        return { kind: "floor", floor, promised: 0 };
      case "renew-actor":
      case "promise":
      case "raise-floor":
        return { kind: "durable" };
      default:
        return this.#store.run(work);
    }
  }

  #send(to: number, message: Message): readonly Effect[] {
    this.sent.push([to, message]);
    this.#writer.add(message);
    this.#writer.take();
    if (to !== 1) return [];
    return this.#node.step({ kind: "message", now: this.#now, from: 1, message });
  }
}

/** As it comes out of a frame; undefined for what no frame can say. */
function passedOn(message: Message): Message | undefined {
  const writer = new FrameWriter();
  writer.add(message);
  const [bytes = new Uint8Array(0)] = writer.take();
  const frame = decodeFrame(bytes);
  return frame.kind === "frame" ? frame.messages[0] : undefined;
}
