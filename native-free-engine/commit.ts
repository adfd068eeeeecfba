/**
 * Group commit. Writes of one tick become one record and one write to the log; they are visible
 * once it is written and acknowledged then, or after fdatasync where asked. While one fdatasync
 * runs, what arrives becomes the next group, so throughput grows with the number of callers.
 *
 * Writes are never refused for being too many: when flush or compaction is behind, promises
 * settle later (in proportion), and when no memtable has room they wait in order.
 */
import type { BatchOperation } from "./api.ts";
import type { Clock } from "./clock.ts";
import { kindExpiring, kindTombstone, kindValue } from "./cursor.ts";
import type { EngineError } from "./errors.ts";
import type { Log } from "./log/log.ts";
import { sealRecord, typeGroup, typeSeal } from "./log/record.ts";
import { boundOf, checkBatch, type Memtable } from "./memtable.ts";
import { expiryOf } from "./expiry.ts";
import type { SyncPace } from "./sync-pace.ts";
import type { Turn } from "./turn.ts";

/** A group beyond this is written without blocking the loop. */
const blockingWriteMax = 1 << 20;

/** The memtable that takes writes, and its log. */
export interface Segment {
  readonly memtable: Memtable;
  readonly log: Log;
}

/** All the write path needs from the engine. */
export interface CommitSteps {
  /** The segment that takes writes now. */
  active(): Segment;
  /** Seals the active segment and starts one with room for that many bytes, if there may be one. */
  rotate(bytes: number): boolean;
  /** Operations below this sequence may be read. */
  publish(sequence: number): void;
  /** Everything below this sequence survives a power cut. */
  markDurable(sequence: number): void;
  durableSequence(): number;
  /** Milliseconds by which each byte is to be held back: 0 while no one is behind. */
  holdMsPerByte(): number;
  /** Milliseconds that writes were held back. */
  stalled(ms: number): void;
}

/** One write, held with its own copies while there is no room. */
interface Held {
  readonly operations: readonly Operation[];
  readonly bytes: number;
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Operation {
  readonly kind: number;
  readonly key: string | Uint8Array;
  readonly value: string | Uint8Array;
  readonly expiry: number;
}

interface Group {
  readonly segment: Segment;
  readonly at: number;
  operations: number;
  plain: Deferred | undefined;
  synced: Deferred | undefined;
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface SyncWaiter {
  readonly sequence: number;
  readonly deferred: Deferred;
}

const nothing = new Uint8Array(0);

export class Commit {
  readonly #steps: CommitSteps;
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #pace: SyncPace;
  #group: Group | undefined;
  #scheduled = false;
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #syncedWrites = false;
  readonly #held: Held[] = [];
  #heldSince = 0;
  #unsynced: Segment[] = [];
  #waiters: SyncWaiter[] = [];
  #delayMs = 0;
  #failure: EngineError | undefined;
  /** Bytes of operations taken since opening. */
  #userBytes = 0;

  constructor(parts: { steps: CommitSteps; clock: Clock; turn: Turn; pace: SyncPace }) {
    this.#steps = parts.steps;
    this.#clock = parts.clock;
    this.#turn = parts.turn;
    this.#pace = parts.pace;
  }

  /** Why no write is accepted any more, if so. */
  get failure(): EngineError | undefined {
    return this.#failure;
  }

  get userBytes(): number {
    return this.#userBytes;
  }

  /** Takes one put or delete; throws at once on input that is over a limit. */
  write(
    kind: number,
    key: string | Uint8Array,
    value: string | Uint8Array,
    expiry: number,
    sync: boolean,
  ): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const bytes = boundOf(kind, key, value);
    this.#userBytes += bytes;
    if (this.#held.length > 0 || !this.#hasRoom(bytes)) {
      return this.#hold([{ kind, key, value, expiry }], bytes, sync);
    }
    const group = this.#join();
    const memtable = group.segment.memtable;
    memtable.index(memtable.encode(kind, key, value, expiry));
    group.operations += 1;
    return promiseOf(group, sync);
  }

  /** Takes a batch, all or nothing; `now` turns times to live into expiries. */
  writeBatch(batch: readonly BatchOperation[], now: number, sync: boolean): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const operations: Operation[] = [];
    let bytes = 0;
    for (const operation of batch) {
      const one = toOperation(operation, now);
      bytes += boundOf(one.kind, one.key, one.value);
      operations.push(one);
    }
    checkBatch(bytes);
    this.#userBytes += bytes;
    if (operations.length === 0) return Promise.resolve();
    if (this.#held.length > 0 || !this.#hasRoom(bytes)) {
      return this.#hold(operations, bytes, sync);
    }
    return this.#append(operations, sync);
  }

  /** Room was made: lets waiting writes go on, in their order. */
  roomMade(): void {
    let released = 0;
    for (const held of this.#held) {
      if (this.#failure === undefined && !this.#hasRoom(held.bytes)) break;
      released += 1;
      if (this.#failure !== undefined) {
        held.reject(this.#failure);
      } else {
        this.#append(held.operations, held.sync).then(held.resolve, held.reject);
      }
    }
    this.#held.splice(0, released);
    if (released > 0 && this.#held.length === 0) {
      this.#steps.stalled(this.#clock.elapsed() - this.#heldSince);
    }
  }

  /** Writes the open group now. False while an earlier one is still on its way. */
  flushGroup(): boolean {
    if (this.#writing !== undefined) return false;
    this.#commit();
    return this.#writing === undefined;
  }

  /** Resolves when every write taken so far is in the log. Never rejects. */
  async settled(): Promise<void> {
    while (this.#group !== undefined || this.#writing !== undefined) {
      if (!this.flushGroup()) await this.#writing;
    }
  }

  get hasHeldWrites(): boolean {
    return this.#held.length > 0;
  }

  /** Makes everything published durable. */
  async syncAll(): Promise<void> {
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure;
    const { memtable } = this.#steps.active();
    const sequence = memtable.firstSequence + memtable.end;
    if (this.#steps.durableSequence() >= sequence || this.#unsynced.length === 0) return;
    const deferred = defer();
    this.#waiters.push({ sequence: this.#lastWritten(), deferred });
    this.#startSync();
    await deferred.promise;
  }

  /** Ends the active log with a seal: a reader then knows that nothing was to follow. */
  seal(segment: Segment): void {
    const { memtable, log } = segment;
    const at = memtable.beginRecord();
    sealRecord(memtable.arena, at, memtable.logNumber, {
      type: typeSeal,
      payloadBytes: memtable.endRecord(at),
      operations: 0,
      durableSequence: this.#steps.durableSequence(),
    });
    this.#guard(() => log.writeSync(memtable.arena, memtable.end, false));
  }

  /** A flush made this segment's operations durable: its log needs no sync any more. */
  forget(segment: Segment): void {
    this.#unsynced = this.#unsynced.filter((other) => other !== segment);
    this.#resolveDurable();
  }

  /** Refuses everything from now on. */
  fail(error: EngineError): void {
    this.#failure ??= error;
    const group = this.#group;
    this.#group = undefined;
    if (group !== undefined) rejectGroup(group, this.#failure);
    for (const waiter of this.#waiters.splice(0)) waiter.deferred.reject(this.#failure);
    this.roomMade();
  }

  #append(operations: readonly Operation[], sync: boolean): Promise<void> {
    const group = this.#join();
    const memtable = group.segment.memtable;
    const first = memtable.end;
    for (const { kind, key, value, expiry } of operations) memtable.encode(kind, key, value, expiry);
    for (let at = first; at < memtable.end; ) at = memtable.index(at);
    group.operations += operations.length;
    return promiseOf(group, sync);
  }

  #hold(operations: readonly Operation[], bytes: number, sync: boolean): Promise<void> {
    if (this.#held.length === 0) this.#heldSince = this.#clock.elapsed();
    const copies = operations.map((one) => ({ ...one, key: copy(one.key), value: copy(one.value) }));
    const { promise, resolve, reject } = defer();
    this.#held.push({ operations: copies, bytes, sync, resolve, reject });
    return promise;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#steps.active().memtable.fits(bytes)) return true;
    // An empty memtable of the usual size may be too small for one large write.
    return this.flushGroup() && this.#failure === undefined && this.#steps.rotate(bytes);
  }

  #join(): Group {
    if (this.#group === undefined) {
      const segment = this.#steps.active();
      const at = segment.memtable.beginRecord();
      this.#group = { segment, at, operations: 0, plain: undefined, synced: undefined };
    }
    if (!this.#scheduled && this.#writing === undefined) {
      this.#scheduled = true;
      queueMicrotask(this.#onMicrotask);
    }
    return this.#group;
  }

  readonly #onMicrotask = (): void => {
    this.#scheduled = false;
    if (this.#writing === undefined) this.#commit();
  };

  #commit(): void {
    const group = this.#group;
    if (group === undefined) return;
    this.#group = undefined;
    const { memtable, log } = group.segment;
    const payloadBytes = memtable.endRecord(group.at);
    sealRecord(memtable.arena, group.at, memtable.logNumber, {
      type: typeGroup,
      payloadBytes,
      operations: group.operations,
      durableSequence: this.#steps.durableSequence(),
    });
    const end = memtable.end;
    if (payloadBytes > blockingWriteMax) {
      this.#writing = log.write(memtable.arena, end).then(
        () => this.#written(group, end),
        (error: EngineError) => this.#writeFailed(group, error),
      );
      return;
    }
    try {
      log.writeSync(memtable.arena, end, this.#syncedWrites);
    } catch (error) {
      this.#writeFailed(group, error as EngineError);
      return;
    }
    this.#written(group, end);
  }

  #written(group: Group, end: number): void {
    this.#writing = undefined;
    const { memtable } = group.segment;
    const sequence = memtable.firstSequence + end;
    this.#steps.publish(sequence);
    if (this.#unsynced.at(-1) !== group.segment) this.#unsynced.push(group.segment);
    if (group.synced !== undefined) {
      this.#syncedWrites = true;
      this.#waiters.push({ sequence, deferred: group.synced });
      this.#startSync();
    }
    if (group.plain !== undefined) this.#settle(group.plain, end - group.at, group.operations);
    if (this.#group !== undefined) this.#join();
  }

  #writeFailed(group: Group, error: EngineError): void {
    this.#writing = undefined;
    this.fail(error);
    rejectGroup(group, error);
  }

  /** Acknowledges, at once unless someone is behind or the loop has waited long enough. */
  #settle(deferred: Deferred, bytes: number, operations: number): void {
    const hold = this.#steps.holdMsPerByte();
    if (hold > 0) {
      this.#delayMs += bytes * hold;
      if (this.#delayMs >= 1) {
        const ms = Math.min(this.#delayMs, 100);
        this.#delayMs = 0;
        this.#steps.stalled(ms);
        // The clock never rejects.
        void this.#clock.sleep(ms).then(deferred.resolve);
        return;
      }
    }
    if (this.#turn.isOver(operations)) this.#turn.onNext(deferred.resolve);
    else deferred.resolve();
  }

  #startSync(): void {
    if (this.#syncing !== undefined) return;
    if (this.#pace.isQuick() && this.#unsynced.length === 1) {
      this.#syncNow();
      return;
    }
    this.#syncing = this.#syncLater().finally(() => {
      this.#syncing = undefined;
      if (this.#waiters.length > 0 && this.#failure === undefined) this.#startSync();
    });
  }

  #syncNow(): void {
    const upTo = this.#lastWritten();
    const segment = this.#unsynced[0]!;
    const from = this.#clock.elapsed();
    if (!this.#guard(() => segment.log.syncSync())) return;
    this.#pace.note(this.#clock.elapsed() - from);
    this.#unsynced = [];
    this.#steps.markDurable(upTo);
    this.#resolveDurable();
  }

  /** Never rejects: a failed sync fails the whole write path. */
  async #syncLater(): Promise<void> {
    const upTo = this.#lastWritten();
    for (const segment of [...this.#unsynced]) {
      if (!this.#unsynced.includes(segment)) continue;
      const from = this.#clock.elapsed();
      const size = segment.log.written;
      try {
        await segment.log.sync();
      } catch (error) {
        // A flush may have closed the log meanwhile; then its operations are durable in a table.
        if (!this.#unsynced.includes(segment)) continue;
        this.fail(error as EngineError);
        return;
      }
      this.#pace.note(this.#clock.elapsed() - from);
      if (segment.log.written === size) {
        this.#unsynced = this.#unsynced.filter((other) => other !== segment);
      }
    }
    this.#steps.markDurable(upTo);
    this.#resolveDurable();
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

  #lastWritten(): number {
    const segment = this.#unsynced.at(-1);
    if (segment === undefined) return this.#steps.durableSequence();
    return segment.memtable.firstSequence + segment.log.written;
  }

  #guard(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      this.fail(error as EngineError);
      return false;
    }
  }
}

function toOperation(operation: BatchOperation, now: number): Operation {
  if (operation?.type === "del") {
    return { kind: kindTombstone, key: operation.key, value: nothing, expiry: 0 };
  }
  if (operation?.type !== "put") {
    throw new TypeError('a batch operation must have type "put" or "del"');
  }
  const { key, value, ttlMs } = operation;
  if (ttlMs === undefined) return { kind: kindValue, key, value, expiry: 0 };
  return { kind: kindExpiring, key, value, expiry: expiryOf(ttlMs, now) };
}

function promiseOf(group: Group, sync: boolean): Promise<void> {
  if (sync) {
    group.synced ??= defer();
    return group.synced.promise;
  }
  group.plain ??= defer();
  return group.plain.promise;
}

function rejectGroup(group: Group, error: EngineError): void {
  group.plain?.reject(error);
  group.synced?.reject(error);
}

function copy(input: string | Uint8Array): string | Uint8Array {
  return typeof input === "string" ? input : input.slice();
}

function defer(): Deferred {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
