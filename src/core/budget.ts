/**
 * What background work (hints, comparing trees, moving partitions) may take of the node: much
 * while requests are answered promptly, little as soon as they are not (Dynamo, section 6.5). The
 * signs are the node's own: ticks that come late, and answers that take longer than usual.
 */
import type { Millis } from "./ids.ts";

export interface BudgetTuning {
  readonly shareMin: number;
  /** A tick this much after the one before it means that the loop is busy. */
  readonly lateMs: Millis;
  /** Grows by this a second while all is well; is halved at each sign of trouble. */
  readonly growth: number;
  /** At most one cut in this time: one stall is one sign. */
  readonly cutMs: Millis;
}

export const budgetDefaults: BudgetTuning = {
  shareMin: 0.02,
  lateMs: 30,
  growth: 0.25,
  cutMs: 250,
};

export class Budget {
  readonly #tuning: BudgetTuning;
  #share = 1;
  #tickAt: Millis | undefined;
  #cutAt: Millis = 0;

  constructor(tuning: BudgetTuning) {
    this.#tuning = tuning;
  }

  /** Above 0, at most 1. */
  share(): number {
    return this.#share;
  }

  tick(now: Millis): void {
    const gap = this.#tickAt === undefined ? 0 : now - this.#tickAt;
    this.#tickAt = now;
    if (gap > this.#tuning.lateMs) this.#cut(now);
    else this.#share = Math.min(1, this.#share + (this.#tuning.growth * gap) / 1_000);
  }

  #cut(now: Millis): void {
    if (now - this.#cutAt < this.#tuning.cutMs) return;
    this.#cutAt = now;
    this.#share = Math.max(this.#tuning.shareMin, this.#share / 2);
  }
}
