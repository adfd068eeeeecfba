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
import { type Deferred, defer } from "./deferred.ts";
import type { EngineError } from "./errors.ts";
import { sealRecord, typeGroup, typeSeal } from "./log/record.ts";
import { LogSyncs, type SyncSteps } from "./log-syncs.ts";
import type { Segment } from "./segment.ts";
import { SyncPace } from "./sync-pace.ts";
import type { Turn } from "./turn.ts";
import { boundOf, checkBatch, copyOf, type Write, writeOf } from "./write.ts";

/** A group beyond this is written without blocking the loop. */
const blockingWriteMax = 1 << 20;
/** Delays are slept in steps of at least this, and at most that: timers count milliseconds. */
const delayMsMin = 1;
const delayMsMax = 100;

/** All the write path needs from the engine. */
export interface CommitSteps extends SyncSteps {
  /** The segment that takes writes now. */
  active(): Segment;
  /** Seals the active segment and starts one with room for that many bytes, if there may be one. */
  rotate(bytes: number): boolean;
  /** Operations below this sequence may be read. */
  publish(sequence: number): void;
  /** Milliseconds by which each byte is to be held back: 0 while no one is behind. */
  holdMsPerByte(): number;
  /** Milliseconds that writes were held back. */
  stalled(ms: number): void;
}

/** Writes that wait, with their own copies, until there is room. */
interface Held {
  readonly writes: readonly Write[];
  readonly bytes: number;
  readonly sync: boolean;
  readonly deferred: Deferred;
}

/** A record in the making. */
interface Group {
  readonly segment: Segment;
  readonly at: number;
  operations: number;
  /** Owed once the record is written, and once it is durable. */
  plain: Deferred | undefined;
  synced: Deferred | undefined;
}

export class Commit {
  readonly #steps: CommitSteps;
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #syncs: LogSyncs;
  #group: Group | undefined;
  #scheduled = false;
  #writing: Promise<void> | undefined;
  #syncedWrites = false;
  readonly #held: Held[] = [];
  #heldSince = 0;
  #releasing = false;
  #delayMs = 0;
  #failure: EngineError | undefined;
  /** Bytes of operations taken since opening. */
  #userBytes = 0;

  constructor(parts: { steps: CommitSteps; clock: Clock; turn: Turn }) {
    this.#steps = parts.steps;
    this.#clock = parts.clock;
    this.#turn = parts.turn;
    this.#syncs = new LogSyncs({
      ...parts,
      pace: new SyncPace(),
      onFailure: (error) => this.fail(error),
    });
  }

  /** Why no write is accepted any more, if so. */
  get failure(): EngineError | undefined {
    return this.#failure;
  }

  get userBytes(): number {
    return this.#userBytes;
  }

  get hasHeldWrites(): boolean {
    return this.#held.length > 0;
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
    const writes: Write[] = [];
    let bytes = 0;
    for (const operation of batch) {
      const write = writeOf(operation, now);
      bytes += boundOf(write.kind, write.key, write.value);
      writes.push(write);
    }
    checkBatch(bytes);
    this.#userBytes += bytes;
    if (writes.length === 0) return Promise.resolve();
    if (this.#held.length > 0 || !this.#hasRoom(bytes)) return this.#hold(writes, bytes, sync);
    return this.#append(writes, sync);
  }

  /** Room was made: lets waiting writes go on, in their order. */
  roomMade(): void {
    // Making room writes a group, which makes room: the loop below then just goes on.
    if (this.#releasing || this.#held.length === 0) return;
    this.#releasing = true;
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      const { writes, bytes, sync, deferred } = first;
      const hasRoom = this.#failure === undefined && this.#hasRoom(bytes);
      // Looking for room writes a group, and that can fail: then nobody may go on waiting.
      if (!hasRoom && this.#failure === undefined) break;
      this.#held.shift();
      if (this.#failure !== undefined) deferred.reject(this.#failure);
      else this.#append(writes, sync).then(deferred.resolve, deferred.reject);
    }
    this.#releasing = false;
    if (this.#held.length === 0) this.#steps.stalled(this.#clock.elapsed() - this.#heldSince);
  }

  /**
   * Writes the open group now, and then no record is in the making: a segment may be sealed. False
   * while an earlier group is still on its way; await `settled` and ask again.
   */
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

  /** Resolves when no log is being written or synced. Never rejects. */
  async idle(): Promise<void> {
    await this.settled();
    await this.#syncs.idle();
  }

  /** Whether something is written that is not durable. */
  get isBehind(): boolean {
    return this.#syncs.isBehind;
  }

  /** Makes everything written so far durable. */
  async syncAll(): Promise<void> {
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.isBehind) return;
    const deferred = defer();
    this.#syncs.wait(this.#syncs.lastWritten, deferred);
    await deferred.promise;
  }

  /** Ends a segment's log with a seal: a reader then knows that nothing was to follow. */
  seal(segment: Segment): void {
    const { memtable, log } = segment;
    const at = memtable.beginRecord();
    sealRecord(memtable.arena, at, memtable.logNumber, {
      type: typeSeal,
      payloadBytes: memtable.endRecord(at),
      operations: 0,
      durableSequence: this.#steps.durableSequence(),
    });
    try {
      log.writeSync(memtable.arena, memtable.end, false);
      // The next log says that this one reaches to its seal, so nothing there counts without it.
      this.#syncs.written(segment);
    } catch (error) {
      this.fail(error as EngineError);
    }
  }

  /** A flush made this segment's operations durable: its log needs no sync any more. */
  forget(segment: Segment): void {
    this.#syncs.forget(segment);
  }

  /** Refuses everything from now on. */
  fail(error: EngineError): void {
    this.#failure ??= error;
    const group = this.#group;
    this.#group = undefined;
    if (group !== undefined) rejectGroup(group, this.#failure);
    this.#syncs.fail(this.#failure);
    this.roomMade();
  }

  #append(writes: readonly Write[], sync: boolean): Promise<void> {
    const group = this.#join();
    const memtable = group.segment.memtable;
    const first = memtable.end;
    for (const { kind, key, value, expiry } of writes) memtable.encode(kind, key, value, expiry);
    for (let at = first; at < memtable.end; ) at = memtable.index(at);
    group.operations += writes.length;
    return promiseOf(group, sync);
  }

  #hold(writes: readonly Write[], bytes: number, sync: boolean): Promise<void> {
    // Looking for room may have been what failed; then nobody will ever make any.
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#held.length === 0) this.#heldSince = this.#clock.elapsed();
    const deferred = defer();
    this.#held.push({ writes: writes.map(copyOf), bytes, sync, deferred });
    return deferred.promise;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#steps.active().memtable.fits(bytes)) return true;
    if (!this.flushGroup() || this.#failure !== undefined) return false;
    // A new memtable starts small: asking again lets it grow.
    return this.#steps.rotate(bytes) && this.#steps.active().memtable.fits(bytes);
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
    const sequence = group.segment.memtable.firstSequence + end;
    this.#steps.publish(sequence);
    this.#syncs.written(group.segment);
    if (group.synced !== undefined) {
      this.#syncedWrites = true;
      this.#syncs.wait(sequence, group.synced);
    }
    if (group.plain !== undefined) this.#settle(group.plain, end - group.at, group.operations);
    if (this.#group !== undefined) this.#join();
    this.roomMade();
  }

  #writeFailed(group: Group, error: EngineError): void {
    this.#writing = undefined;
    this.fail(error);
    rejectGroup(group, error);
  }

  /** Acknowledges, at once unless someone is behind or the loop has waited long enough. */
  #settle(deferred: Deferred, bytes: number, operations: number): void {
    const hold = this.#steps.holdMsPerByte();
    this.#delayMs = hold === 0 ? 0 : this.#delayMs + bytes * hold;
    if (this.#delayMs >= delayMsMin) {
      const ms = Math.min(this.#delayMs, delayMsMax);
      this.#delayMs = 0;
      this.#steps.stalled(ms);
      // The clock never rejects.
      void this.#clock.sleep(ms).then(deferred.resolve);
      return;
    }
    if (this.#turn.isOver(operations)) this.#turn.onNext(deferred.resolve);
    else deferred.resolve();
  }
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
