/**
 * Making logs durable: which segments have bytes that a power cut would lose, and who waits for
 * them. One sync runs at a time, and what was written before it began is covered by it. Logs are
 * synced in their order, so that nothing is acknowledged before what came first.
 */
import type { Clock } from "./clock.ts";
import type { Deferred } from "./deferred.ts";
import type { EngineError } from "./errors.ts";
import type { Segment } from "./segment.ts";
import type { SyncPace } from "./sync-pace.ts";
import type { Turn } from "./turn.ts";

/** All that syncing needs from the engine. */
export interface SyncSteps {
  /** Everything below this sequence survives a power cut. */
  markDurable(sequence: number): void;
  durableSequence(): number;
}

export class LogSyncs {
  readonly #steps: SyncSteps;
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #pace: SyncPace;
  readonly #onFailure: (error: EngineError) => void;
  /** Oldest first. */
  #unsynced: Segment[] = [];
  #waiters: { readonly sequence: number; readonly deferred: Deferred }[] = [];
  #syncing: Promise<void> | undefined;
  #failed = false;

  constructor(parts: {
    readonly steps: SyncSteps;
    readonly clock: Clock;
    readonly turn: Turn;
    readonly pace: SyncPace;
    readonly onFailure: (error: EngineError) => void;
  }) {
    this.#steps = parts.steps;
    this.#clock = parts.clock;
    this.#turn = parts.turn;
    this.#pace = parts.pace;
    this.#onFailure = parts.onFailure;
  }

  /** More bytes of this segment's log are with the operating system. */
  written(segment: Segment): void {
    if (this.#unsynced.at(-1) !== segment) this.#unsynced.push(segment);
  }

  /** Settles when everything up to the sequence is durable. */
  wait(sequence: number, deferred: Deferred): void {
    this.#waiters.push({ sequence, deferred });
    this.#start();
  }

  /** Whether anything written is not durable yet. */
  get isBehind(): boolean {
    return this.#unsynced.length > 0;
  }

  /** The first sequence that is not written yet, as far as it is not durable. */
  get lastWritten(): number {
    const segment = this.#unsynced.at(-1);
    if (segment === undefined) return this.#steps.durableSequence();
    return segment.memtable.firstSequence + segment.log.written;
  }

  /** Resolves when no sync is under way. Never rejects. */
  async idle(): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing;
  }

  /** A flush made this segment's operations durable: its log needs no sync any more. */
  forget(segment: Segment): void {
    this.#unsynced = this.#unsynced.filter((other) => other !== segment);
    this.#resolveDurable();
  }

  /** Nobody can be promised anything any more. */
  fail(error: EngineError): void {
    this.#failed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.deferred.reject(error);
  }

  #start(): void {
    if (this.#syncing !== undefined || this.#failed) return;
    if (this.#pace.isQuick() && this.#unsynced.length === 1) {
      this.#syncNow(this.#unsynced[0]!);
      return;
    }
    this.#syncing = this.#syncLater().finally(() => {
      this.#syncing = undefined;
      if (this.#waiters.length > 0) this.#start();
    });
  }

  #syncNow(segment: Segment): void {
    const upTo = this.lastWritten;
    const from = this.#clock.elapsed();
    try {
      segment.log.syncSync();
    } catch (error) {
      this.#onFailure(error as EngineError);
      return;
    }
    this.#pace.note(this.#clock.elapsed() - from);
    this.#unsynced = [];
    this.#steps.markDurable(upTo);
    this.#resolveDurable();
  }

  /** Never rejects: a failed sync fails the whole write path. */
  async #syncLater(): Promise<void> {
    for (const segment of [...this.#unsynced]) {
      if (!this.#unsynced.includes(segment)) continue;
      const from = this.#clock.elapsed();
      // Read only now: what was written while older logs were synced is covered by this one, and
      // must be known as durable too, since the segment may be off the list after it.
      const size = segment.log.written;
      try {
        await segment.log.sync();
      } catch (error) {
        // A flush may have closed the log meanwhile; then its operations are durable in a table.
        if (!this.#unsynced.includes(segment)) continue;
        this.#onFailure(error as EngineError);
        return;
      }
      this.#pace.note(this.#clock.elapsed() - from);
      if (segment.log.written === size) {
        this.#unsynced = this.#unsynced.filter((other) => other !== segment);
      }
      // All older logs were synced before, and they are full.
      this.#steps.markDurable(segment.memtable.firstSequence + size);
      this.#resolveDurable();
    }
  }

  #resolveDurable(): void {
    const durable = this.#steps.durableSequence();
    const waiting = this.#waiters;
    this.#waiters = waiting.filter((waiter) => waiter.sequence > durable);
    for (const { sequence, deferred } of waiting) {
      if (sequence > durable) continue;
      if (this.#turn.isOver(4)) this.#turn.onNext(deferred.resolve);
      else deferred.resolve();
    }
  }
}
