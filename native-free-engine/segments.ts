/**
 * Segments: a memtable and its log, made, filled, sealed and let go of in order. This is what the
 * commit path sees of the engine (`CommitSteps`).
 */
import type { Background } from "./background.ts";
import type { Commit, CommitSteps } from "./commit.ts";
import type { Disk } from "./disk/disk.ts";
import { logName } from "./files.ts";
import { Log } from "./log/log.ts";
import { fileHeaderBytes, recordHeaderBytes } from "./log/record.ts";
import { Memtable } from "./memtable.ts";
import { arenaBytesFor, type MemtableBuffers } from "./memtable-buffers.ts";
import type { Settings } from "./options.ts";
import type { Segment } from "./segment.ts";
import type { OpenTables } from "./table-set.ts";
import type { Tree } from "./tree.ts";

/** What a record costs beyond its operations, with room for a seal. */
const overheadBytes = fileHeaderBytes + 4 * recordHeaderBytes;

/** Buffers kept for the memtables to come: as many as are filled while one is flushed. */
const sparesMax = 1;

export interface SegmentParts {
  readonly disk: Disk;
  readonly directory: string;
  readonly settings: Settings;
  readonly hashSeed: number;
  readonly tree: Tree;
  readonly files: OpenTables;
  readonly takeNumber: () => number;
  readonly background: () => Background;
  readonly commit: () => Commit;
  /** Something was written that is not durable yet. */
  readonly onWritten: () => void;
  /** The first flush is not far: a thread may be started now. */
  readonly prepareFlush: () => void;
  /** A segment was filled: a moment to look after the disk's free space. */
  readonly onSealed: () => void;
}

export class Segments implements CommitSteps {
  readonly #parts: SegmentParts;
  #durable: number;
  #stallMs = 0;
  #logBytes = 0;
  #flushPrepared = false;
  readonly #spare: MemtableBuffers[] = [];

  constructor(parts: SegmentParts) {
    this.#parts = parts;
    this.#durable = parts.tree.active.memtable.firstSequence + parts.tree.active.log.synced;
  }

  get stallMs(): number {
    return this.#stallMs;
  }

  /** Bytes written to logs since opening. */
  get logBytes(): number {
    const { tree } = this.#parts;
    return this.#logBytes + tree.active.log.written;
  }

  active(): Segment {
    return this.#parts.tree.active;
  }

  rotate(bytes: number): boolean {
    const { tree, settings } = this.#parts;
    const full = tree.active;
    if (full.memtable.end === fileHeaderBytes) {
      tree.active = this.#next(full, bytes);
      return true;
    }
    if (tree.sealed.length >= settings.tuning.sealedMax) return false;
    return this.sealActive(bytes);
  }

  /** Seals the active segment whatever waits already; false when its log has failed. */
  sealActive(bytes: number): boolean {
    const { tree, commit, background } = this.#parts;
    const full = tree.active;
    commit().seal(full);
    if (commit().failure !== undefined) return false;
    this.#logBytes += full.log.written;
    tree.active = this.#next(full, bytes);
    tree.sealed = [full, ...tree.sealed];
    tree.sequence = tree.active.memtable.firstSequence + fileHeaderBytes;
    background().flushSoon();
    this.#parts.onSealed();
    return true;
  }

  publish(sequence: number): void {
    const { tree, settings, prepareFlush, onWritten } = this.#parts;
    tree.sequence = sequence;
    onWritten();
    if (this.#flushPrepared || 4 * tree.active.memtable.end < settings.memtableBytes) return;
    this.#flushPrepared = true;
    prepareFlush();
  }

  markDurable(sequence: number): void {
    this.#durable = Math.max(this.#durable, sequence);
  }

  durableSequence(): number {
    return this.#durable;
  }

  holdMsPerByte(): number {
    return this.#parts.background().holdMsPerByte;
  }

  stalled(ms: number): void {
    this.#stallMs += ms;
  }

  /** The flush of the oldest sealed segment is in the manifest: its log is not needed. */
  flushed(segment: Segment): void {
    const { files, tree } = this.#parts;
    const newer = tree.sealed.at(-1) ?? tree.active;
    this.markDurable(newer.memtable.firstSequence);
    segment.log.close();
    this.#keepBuffers(segment.memtable);
    files.removeSoon(segment.log.name);
  }

  #keepBuffers(memtable: Memtable): void {
    const isUsual = memtable.arena.length === arenaBytesFor(this.#parts.settings.memtableBytes);
    if (!isUsual || this.#spare.length >= sparesMax) return;
    const buffers = memtable.giveBuffers();
    if (buffers !== undefined) this.#spare.push(buffers);
  }

  #next(before: Segment, bytes: number): Segment {
    const { disk, directory, settings, hashSeed, takeNumber } = this.#parts;
    const { memtable } = before;
    const isEmpty = memtable.end === fileHeaderBytes;
    const logNumber = isEmpty ? memtable.logNumber : takeNumber();
    const full = !isEmpty && bytes + overheadBytes <= settings.memtableBytes;
    const next = new Memtable({
      logNumber,
      firstSequence: isEmpty ? memtable.firstSequence : memtable.firstSequence + memtable.end,
      previous: isEmpty ? memtable.previous : { number: memtable.logNumber, end: memtable.end },
      hashSeed,
      bytesMax: Math.max(settings.memtableBytes, bytes + overheadBytes),
      full,
      buffers: full ? this.#spare.pop() : undefined,
    });
    return { memtable: next, log: new Log({ disk, directory, name: logName(logNumber) }) };
  }
}
