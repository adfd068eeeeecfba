/**
 * The node's clock: the wall clock at the start, carried on by time that never goes back. When the
 * wall clock is found far ahead (a suspended machine, a clock set right), it is followed; when it
 * is behind, time goes on at its own pace. The core sees gaps, and no step backwards.
 */
import { randomBytes } from "node:crypto";
import type { Actor, Millis } from "../core/ids.ts";

const aheadMsMax = 250;

export class NodeClock {
  readonly #wall: () => number;
  readonly #elapsed: () => number;
  #offset: number;

  constructor(wall: () => number = Date.now, elapsed: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#elapsed = elapsed;
    this.#offset = wall() - elapsed();
  }

  now(): Millis {
    return this.#offset + this.#elapsed();
  }

  /** Follows the wall clock where it ran ahead. Called now and then, not at each look. */
  follow(): void {
    const ahead = this.#wall() - this.now();
    if (ahead > aheadMsMax) this.#offset += ahead;
  }
}

let lastActorAt = 0;

/** 42 bits of milliseconds, so that dots sort by age, 22 of chance. Never twice in a process. */
export function newActor(): Actor {
  lastActorAt = Math.max(Date.now(), lastActorAt + 1);
  const chance = randomBytes(3).readUIntBE(0, 3) & 0x3fffff;
  const value = (BigInt(lastActorAt) << 22n) | BigInt(chance);
  return BigInt.asUintN(64, value).toString(16).padStart(16, "0");
}
