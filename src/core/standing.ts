/**
 * How far this node's own copies may be believed when they have nothing. It lies in two facts:
 *
 * - Which partitions are *filled*: everything acknowledged that this node should hold of them was
 *   here once. What is held by the ring and not filled is `rebuilding`: a disk that was lost, or a
 *   new owner. The filled ones are what is saved, so a start that finds no record, an old one or a
 *   damaged one rebuilds too much and never too little, in whatever order a crash cuts the writes.
 * - Whether the node has *caught up* since it started: every live member has delivered its hints.
 *   Until then what is filled is `catching-up`.
 *
 * Filling ends after a full comparison with each live owner, and with so many owners in all that a
 * majority of them cannot lie outside: whatever a majority acknowledged was met in one of them.
 * That majority is one of the own data centre, where quorums are counted: what was acknowledged
 * elsewhere comes here in the background, and no reader here may count on it yet.
 */
import type { Out } from "./event.ts";
import type { Millis, NodeId, Partition } from "./ids.ts";
import { generationEpochs } from "./limits.ts";
import type { Standing as Level } from "./message.ts";
import type { RingState } from "./ring/ring-state.ts";
import type { LivenessView, RingView, StandingView } from "./views.ts";

export interface StandingTuning {
  /** Without word from members that are away, catching up ends so long after the start. */
  readonly catchUpMsMax: Millis;
  /** Members that are not live are no longer waited for, if any other is. */
  readonly absentMs: Millis;
  /**
   * After a new epoch comparisons count only from then on: until then a coordinator that has not
   * heard of the epoch may still write past a new owner.
   */
  readonly settleMs: Millis;
}

export const standingDefaults: StandingTuning = {
  catchUpMsMax: 60_000,
  absentMs: 5_000,
  settleMs: 1_000,
};

export interface StandingParts {
  readonly self: NodeId;
  readonly out: Out;
  /** Start of the process, as this node's heartbeats say it. */
  readonly started: Millis;
  readonly liveness: LivenessView;
  readonly tuning: StandingTuning;
  ring(): RingView;
  /** The epoch that a member has last said it is in. */
  epochOf(node: NodeId): number | undefined;
}

/** A partition that is being filled, and the owners it has yet to be compared with. */
export interface Filling {
  readonly partition: Partition;
  /** Comparisons count that began then or later. */
  readonly since: Millis;
  readonly peers: readonly NodeId[];
}

interface Visits {
  /** Comparisons count that began then or later. */
  readonly since: Millis;
  /** And only with peers that know this epoch: others may write past this node. */
  readonly epoch: number;
  readonly peers: Set<NodeId>;
}

/** The name of its record. */
export const standingName = "standing";
const recordVersion = 1;
const headBytes = 8;
const saveAgainMs = 1_000;
/**
 * What was filled is saved no more often than this: each time syncs the disk, and a start that
 * does not know of it compares those partitions again.
 */
const saveFilledMs = 500;
/** Whether an owner that was waited for is gone is looked at so often. */
const lookMs = 100;

export class Standing implements StandingView {
  readonly #parts: StandingParts;
  /** The ring that the facts below were brought in line with. */
  #state: RingState | undefined;
  /** Unknown until the record was read: everything is rebuilding. */
  #filled: Uint8Array | undefined;
  readonly #visits = new Map<Partition, Visits>();
  /** Found lost before the record was read. */
  readonly #lostEarly = new Set<Partition>();
  readonly #caughtUpWith = new Set<NodeId>();
  #hasCaughtUp = false;
  /** A live member that had yet to say so when last looked: while it has, no other is looked at. */
  #awaited: NodeId | undefined;
  #startedAt: Millis = 0;
  #isDirty = false;
  #isSaving = false;
  #saveAt: Millis = 0;
  /** More is filled than was saved. */
  #hasFilled = false;
  #saveFilledAt: Millis = 0;
  #lookAt: Millis = 0;

  constructor(parts: StandingParts) {
    this.#parts = parts;
  }

  start(now: Millis): void {
    this.#startedAt = now;
    this.#parts.out.store({ kind: "load-meta", name: standingName }, (outcome, later) => {
      const bytes = outcome.kind === "meta" ? outcome.bytes : undefined;
      this.#load(later, bytes);
    });
  }

  of(partition: Partition): Level {
    const ring = this.#parts.ring();
    // A stand-in holds some writes by chance: that it knows of none says little.
    if (!ring.holders(partition).includes(ring.self)) return "catching-up";
    if (this.#filled?.[partition] !== 1) return "rebuilding";
    return this.#hasCaughtUp ? "current" : "catching-up";
  }

  /** Partitions that this node holds and has not filled; what gossip tells. */
  filling(): number {
    // An epoch that was not looked at yet may ask for more.
    const isAligned = this.#state === this.#parts.ring().state;
    return isAligned ? this.#visits.size : Math.max(1, this.#visits.size);
  }

  /** What has to be compared with whom, so that filling can end; near owners come first. */
  *fillings(): IterableIterator<Filling> {
    for (const [partition, visits] of this.#visits) {
      const missing = (): readonly NodeId[] => this.#missing(partition, visits);
      // Of most of them nobody asks that, many times a second.
      yield {
        ...{ partition, since: visits.since },
        get peers() {
          return missing();
        },
      };
    }
  }

  #missing(partition: Partition, { epoch, peers }: Visits): readonly NodeId[] {
    const ring = this.#parts.ring();
    const dc = ring.dcOf(ring.self);
    const isDue = (peer: NodeId): boolean =>
      !peers.has(peer) && (this.#parts.epochOf(peer) ?? 0) >= epoch;
    const missing = this.#others(partition).filter(isDue);
    const isNear = (peer: NodeId): boolean =>
      ring.dcOf(peer) === dc && this.#parts.liveness.isLive(peer);
    const near = missing.filter(isNear);
    return near.length > 0 ? near : missing;
  }

  /** A comparison that began at `begunAt` has brought over all that the peer had then. */
  visited(partition: Partition, peer: NodeId, begunAt: Millis): void {
    const visits = this.#visits.get(partition);
    if (visits === undefined || begunAt < visits.since) return;
    visits.peers.add(peer);
    if (this.#isComplete(partition, visits)) this.#finish(partition);
  }

  /** A member keeps nothing (any more) for the process that started at `since`. */
  noHints(now: Millis, from: NodeId, since: Millis): void {
    if (since !== this.#parts.started) return;
    this.#caughtUpWith.add(from);
    this.#judgeCatchUp(now);
  }

  /** Data of the partition is gone, or cannot be trusted. */
  lost(now: Millis, partition: Partition): void {
    if (this.#filled === undefined) {
      this.#lostEarly.add(partition);
      return;
    }
    this.#filled[partition] = 0;
    this.#isDirty = true;
    this.#visits.delete(partition);
    // What it holds no longer it does not fill either.
    const ring = this.#parts.ring();
    if (ring.holders(partition).includes(ring.self)) this.#fill(now, partition);
    this.#save(now);
  }

  /** A new epoch is in force. */
  ringChanged(now: Millis): void {
    if (this.#filled === undefined || this.#state === undefined) return;
    if (this.#state === this.#parts.ring().state) return;
    this.#align(this.#state.epoch, now + this.#parts.tuning.settleMs);
    this.#save(now);
  }

  tick(now: Millis): void {
    if (this.#filled === undefined) return;
    this.ringChanged(now);
    if (now >= this.#lookAt) {
      this.#lookAt = now + lookMs;
      // An owner that was waited for may be gone now.
      for (const [partition, visits] of this.#visits) {
        if (this.#isComplete(partition, visits)) this.#finish(partition);
      }
    }
    this.#judgeCatchUp(now);
    this.#save(now);
  }

  #load(now: Millis, bytes: Uint8Array | undefined): void {
    const { partitions, state } = this.#parts.ring();
    const record = decodeFilled(bytes, partitions);
    this.#filled = record?.filled ?? new Uint8Array(partitions);
    for (const partition of this.#lostEarly) this.#filled[partition] = 0;
    // A newcomer starts in the epoch that made it one: there too the others have to hear of it.
    this.#align(record?.epoch ?? state.epoch, now + this.#parts.tuning.settleMs);
    this.#judgeCatchUp(now);
    this.#save(now);
  }

  /** Brings the facts in line with the ring; `epoch` is the one that they are from. */
  #align(epoch: number, since: Millis): void {
    const ring = this.#parts.ring();
    const filled = this.#filled;
    if (filled === undefined) return;
    const before = this.#state;
    this.#state = ring.state;
    this.#isDirty = true;
    // A generation that was forced from the epoch before follows it as any other does.
    const leap = (ring.state.epoch - epoch) % generationEpochs;
    const held = new Set(ring.held());
    for (let partition = 0; partition < ring.partitions; partition++) {
      // An epoch not seen may have taken the partition away, and a later one have given it back.
      // An owner that was to stay needs three for that: one that plans its going, one that does it,
      // one back.
      const isOwner = ring.owners(partition).includes(ring.self);
      const isSure =
        leap <= 1 || (leap === 2 && isOwner && wasToStay(before, partition, ring.self));
      if (!isSure || !held.has(partition)) {
        filled[partition] = 0;
        this.#visits.delete(partition);
      }
      if (held.has(partition)) this.#fill(since, partition);
    }
  }

  #fill(since: Millis, partition: Partition): void {
    if (this.#filled?.[partition] === 1) return;
    const known = this.#visits.get(partition);
    const { epoch } = this.#parts.ring().state;
    const visits = known ?? { since, epoch, peers: new Set() };
    if (this.#isComplete(partition, visits)) this.#finish(partition);
    else if (known === undefined) {
      this.#visits.set(partition, visits);
      this.#notice(partition);
    }
  }

  #finish(partition: Partition): void {
    if (this.#filled !== undefined) this.#filled[partition] = 1;
    this.#visits.delete(partition);
    this.#hasFilled = true;
    this.#notice(partition);
  }

  /**
   * With P owners in a data centre, each write acknowledged by a majority is met once at most a
   * minority of them is unvisited: after ceil(P / 2) visits. This node's own copy, if it is an
   * owner, counts as one that has been lost. Where this node is the first of its data centre, or
   * the only one, another data centre has to stand for all that was acknowledged.
   */
  #isComplete(partition: Partition, { peers }: Visits): boolean {
    const others = this.#others(partition);
    const { liveness } = this.#parts;
    if (others.some((peer) => !peers.has(peer) && liveness.isLive(peer))) return false;
    const ring = this.#parts.ring();
    const groupOf = (dc: string | undefined): readonly NodeId[] =>
      ring.owners(partition).filter((owner) => ring.dcOf(owner) === dc);
    const isMet = (group: readonly NodeId[]): boolean => {
      const askable = group.filter((owner) => owner !== ring.self);
      const visited = askable.filter((peer) => peers.has(peer)).length;
      return visited >= Math.min(askable.length, Math.ceil(group.length / 2));
    };
    const dc = ring.dcOf(ring.self);
    if (others.some((peer) => ring.dcOf(peer) === dc)) return isMet(groupOf(dc));
    const elsewhere = new Set(others.map((peer) => ring.dcOf(peer)));
    return others.length === 0 || [...elsewhere].some((other) => isMet(groupOf(other)));
  }

  #others(partition: Partition): readonly NodeId[] {
    const { self } = this.#parts;
    return this.#parts
      .ring()
      .owners(partition)
      .filter((owner) => owner !== self);
  }

  #members(): readonly NodeId[] {
    const ring = this.#parts.ring();
    const ids = ring.state.members.map(({ id }) => id);
    return ids.filter((id) => id !== this.#parts.self && ring.isMember(id));
  }

  #judgeCatchUp(now: Millis): void {
    if (this.#hasCaughtUp || this.#filled === undefined) return;
    const { catchUpMsMax, absentMs } = this.#parts.tuning;
    const took = now - this.#startedAt;
    if (this.#isAwaited(this.#awaited) && took < 10 * catchUpMsMax) return;
    const members = this.#members();
    const silent = members.filter((id) => !this.#caughtUpWith.has(id));
    const isAnyHeard = silent.length < members.length;
    this.#awaited = silent.find((id) => this.#parts.liveness.isLive(id));
    const isSilentDead = this.#awaited === undefined;
    const isDone = silent.length === 0 || (isAnyHeard && isSilentDead && took >= absentMs);
    // A live member that has not said so may still be delivering: it gets ten times as long.
    const msMax = isSilentDead ? catchUpMsMax : 10 * catchUpMsMax;
    if (!isDone && took < msMax) return;
    this.#hasCaughtUp = true;
    for (const partition of this.#parts.ring().held()) this.#notice(partition);
  }

  #isAwaited(node: NodeId | undefined): boolean {
    if (node === undefined || this.#caughtUpWith.has(node)) return false;
    return this.#parts.ring().isMember(node) && this.#parts.liveness.isLive(node);
  }

  #notice(partition: Partition): void {
    const standing = this.of(partition);
    this.#parts.out.notice({ kind: "standing", partition, standing });
  }

  #save(now: Millis): void {
    const isDue = this.#isDirty || (this.#hasFilled && now >= this.#saveFilledAt);
    if (!isDue || this.#isSaving || now < this.#saveAt) return;
    if (this.#filled === undefined || this.#state === undefined) return;
    this.#isDirty = false;
    this.#hasFilled = false;
    this.#saveFilledAt = now + saveFilledMs;
    this.#isSaving = true;
    const bytes = encodeFilled(this.#state.epoch, this.#filled);
    this.#parts.out.store({ kind: "save-meta", name: standingName, bytes }, (outcome, later) => {
      this.#isSaving = false;
      if (outcome.kind !== "failed") return;
      this.#isDirty = true;
      this.#saveAt = later + saveAgainMs;
    });
  }
}

/** The node owned the partition, and no move was planned that takes it away. */
function wasToStay(before: RingState | undefined, partition: Partition, self: NodeId): boolean {
  const move = before?.moves.find((one) => one.partition === partition);
  const isOwner = before?.owners[partition]?.includes(self) ?? false;
  return isOwner && (move === undefined || move.to.includes(self));
}

/** A version byte, the epoch in seven bytes, then one bit a partition, the lowest bit first. */
function encodeFilled(epoch: number, filled: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headBytes + Math.ceil(filled.length / 8));
  bytes[0] = recordVersion;
  for (let i = 1, rest = epoch; i < headBytes; i++, rest = Math.floor(rest / 256)) bytes[i] = rest;
  filled.forEach((isFilled, partition) => {
    bytes[headBytes + (partition >> 3)]! |= isFilled << (partition & 7);
  });
  return bytes;
}

/** `undefined` also for a record that is not of this form: rebuilding is the safe answer. */
function decodeFilled(
  bytes: Uint8Array | undefined,
  partitions: number,
): { readonly epoch: number; readonly filled: Uint8Array } | undefined {
  if (bytes?.length !== headBytes + Math.ceil(partitions / 8)) return undefined;
  if (bytes[0] !== recordVersion) return undefined;
  let epoch = 0;
  for (let i = headBytes - 1; i >= 1; i--) epoch = epoch * 256 + bytes[i]!;
  const filled = new Uint8Array(partitions);
  for (let partition = 0; partition < partitions; partition++) {
    filled[partition] = (bytes[headBytes + (partition >> 3)]! >> (partition & 7)) & 1;
  }
  return { epoch, filled };
}
