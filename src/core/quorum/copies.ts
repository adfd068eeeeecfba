/**
 * The copies of one write: sends them, replaces those that will not come to be, and keeps hints
 * where nobody else can. Whether they are enough for the client is judged by put.ts.
 */
import type { Versions } from "../clock/versions.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import type { Key } from "../key.ts";
import type { ReplicaMessage } from "../message.ts";
import { judgeJointly, type Tally, type Verdict } from "./judge.ts";
import type { FlightParts } from "./parts.ts";
import { type Copy, inFuture, inPresent, type Placement, standIn, tallyOf } from "./placement.ts";
import type { Trace } from "./trace.ts";

/** What the write has made of the key. */
export interface Written {
  readonly versions: Versions;
  readonly round: number;
}

const noHints: readonly NodeId[] = [];
const noTally: Tally = { need: 0, asked: 0, acked: 0, failed: 0 };

export interface CopiesOptions {
  readonly id: RequestId;
  readonly key: Key;
  readonly w: number;
  readonly deadlineMs: Millis;
  readonly placement: Placement;
  readonly trace: Trace | undefined;
  /** A hint was kept or refused: the quorum may stand otherwise. */
  settle(now: Millis): void;
}

export class Copies {
  readonly #parts: FlightParts;
  readonly #options: CopiesOptions;
  /** The coordinator's own. */
  readonly own: Copy;
  written: Written | undefined;
  #sentAt: Millis = 0;
  /** Hints that are being made durable here. */
  #keeping = 0;
  /** No stand-in is asked any more: what is missing becomes hints. */
  #isClosed = false;

  constructor(parts: FlightParts, own: Copy, options: CopiesOptions) {
    this.#parts = parts;
    this.own = own;
    this.#options = options;
  }

  verdict(): Verdict {
    const { placement, w } = this.#options;
    const present = tallyOf(placement, inPresent, w) ?? noTally;
    return judgeJointly(present, tallyOf(placement, inFuture, w));
  }

  /** The set of owners that is short of acknowledgements, in words: "1 of 2 acks". */
  shortfall(): string {
    const { placement, w } = this.#options;
    const present = tallyOf(placement, inPresent, w) ?? noTally;
    const future = tallyOf(placement, inFuture, w);
    if (present.acked < present.need || future === undefined) return words(present);
    return `${words(future)} among the partition's future owners`;
  }

  /** Nodes with a durable copy. */
  acks(): number {
    let acks = 0;
    for (const { state } of this.#options.placement.copies) if (state === "acked") acks += 1;
    return acks;
  }

  /** The version is known: on to all others, while this node's own copy becomes durable. */
  send(now: Millis, written: Written): void {
    const { copies, kept } = this.#options.placement;
    this.written = written;
    this.#sentAt = now;
    // The same to all owners, so that it is encoded once.
    const plain = this.#messageFor(noHints, written);
    for (const copy of copies) {
      if (copy === this.own) continue;
      if (copy.hintFor.length === 0) this.#parts.out.send(copy.node, plain);
      else this.#send(copy, written);
    }
    if (kept.length > 0) this.#keepHints(kept, this.#options.placement.keptSets);
  }

  acknowledge(now: Millis, from: NodeId, refusal: string | undefined): void {
    const copy = this.#options.placement.copies.find(({ node }) => node === from);
    if (copy === undefined || copy.state === "acked") return;
    this.#options.trace?.add(now, from, refusal ?? "durable");
    if (refusal === undefined) copy.state = "acked";
    else this.lose(copy);
  }

  /** The dead are replaced at once; the slow too, but their acknowledgement still counts. */
  look(now: Millis, slowAfterMs: Millis): void {
    if (this.written === undefined) return;
    const { liveness } = this.#parts;
    const isSlow = now - this.#sentAt >= slowAfterMs;
    for (const copy of [...this.#options.placement.copies]) {
      if (copy.state !== "waiting" || copy === this.own) continue;
      if (!liveness.isLive(copy.node)) {
        this.#options.trace?.add(now, copy.node, "is dead");
        this.lose(copy);
      } else if (isSlow && !copy.isReplaced && !this.#isClosed) {
        liveness.missed(copy.node, now);
        const targets = targetsOf(copy);
        copy.isReplaced = targets.filter((owner) => this.#stepIn(owner)).length === targets.length;
      }
    }
  }

  /** The copy will not come to be there: somebody else takes it, or this node remembers. */
  lose(copy: Copy): void {
    copy.state = "failed";
    if (copy.isReplaced) return;
    copy.isReplaced = true;
    const homeless = targetsOf(copy).filter((owner) => !this.#stepIn(owner));
    this.#keepHints(
      homeless.filter((owner) => owner !== this.#parts.self),
      0,
    );
  }

  /** From now on nobody new is asked. */
  close(): void {
    this.#isClosed = true;
  }

  isAwaited(): boolean {
    return this.#options.placement.copies.some(
      (copy) => copy.state === "waiting" && copy !== this.own,
    );
  }

  /** Hints that are not durable yet are part of the write too. */
  get isKeeping(): boolean {
    return this.#keeping > 0;
  }

  /** Since the copies were sent; nothing is waited for before that. */
  waitedMs(now: Millis): Millis {
    return this.written === undefined ? 0 : now - this.#sentAt;
  }

  /** Whoever has no copy yet gets a hint: the write need not be remembered here any longer. */
  giveUp(now: Millis): void {
    this.close();
    if (this.written === undefined) return;
    for (const copy of this.#options.placement.copies) {
      if (copy.state !== "waiting" || copy === this.own) continue;
      this.#parts.liveness.missed(copy.node, now);
      this.lose(copy);
    }
  }

  #send({ node, hintFor }: Copy, written: Written): void {
    this.#parts.out.send(node, this.#messageFor(hintFor, written));
  }

  #messageFor(hintFor: readonly NodeId[], { versions, round }: Written): ReplicaMessage {
    const { id, key, deadlineMs } = this.#options;
    return {
      kind: "write",
      request: id,
      key,
      versions,
      round,
      hintFor,
      relay: noHints,
      repair: false,
      deadlineMs,
    };
  }

  #stepIn(owner: NodeId): boolean {
    if (this.written === undefined || this.#isClosed) return false;
    const copy = standIn(this.#options.placement, owner);
    if (copy !== undefined) this.#send(copy, this.written);
    return copy !== undefined;
  }

  /** `sets`: where the coordinator's own copy counts once these hints are durable. */
  #keepHints(targets: readonly NodeId[], sets: number): void {
    if (this.written === undefined || targets.length === 0) return;
    const { placement, key, trace } = this.#options;
    const { versions, round } = this.written;
    const entry = { key, versions };
    this.#keeping += 1;
    this.#parts.out.store({ kind: "keep-hints", targets, entry, round }, (outcome, now) => {
      this.#keeping -= 1;
      if (outcome.kind === "durable") {
        for (const target of targets) this.#parts.out.notice({ kind: "hint-kept", target });
        trace?.add(now, this.#parts.self, `keeps a hint for ${targets.join(", ")}`);
        this.own.sets |= sets;
      } else if (outcome.kind === "failed") {
        trace?.add(now, this.#parts.self, `keeps no hint: ${outcome.code}`);
      }
      if (sets !== 0) placement.keptSets = 0;
      this.#options.settle(now);
    });
  }
}

/** For whom a copy stands: its node itself, and those it stands in for. */
function targetsOf({ node, isHolder, hintFor }: Copy): NodeId[] {
  return isHolder ? [node, ...hintFor] : [...hintFor];
}

function words({ acked, need }: Tally): string {
  return `${acked} of ${need} acks`;
}
