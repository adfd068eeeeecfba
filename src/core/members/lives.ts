/**
 * Tells a disk that is older than what its node did: a directory copied back, a snapshot of a
 * machine put back. Such a node has forgotten what it acknowledged and voted since, and would not
 * know it by itself; but others remember.
 *
 * Each process on a directory is a *life*, by its start. A directory records its lives, each with a
 * ceiling for its heartbeats, and nothing of a life, nor a heartbeat above the ceiling, is told to
 * anybody before that is durable. So each life and heartbeat that another member has heard of is
 * covered by the record, unless the disk is older. Members record the lives they hear of. After its
 * start a node shows its record to every member, and each answers with the lives that it does not
 * cover; whenever the answer comes, also days later, the node learns what it forgot.
 *
 * A forgotten life is recorded, and so accounted for, only when everything that the node holds has
 * been compared with others: until then each start learns of it anew. What stays hidden: a disk put
 * back within a block of heartbeats (a minute or two), while the same process ran.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId } from "../ids.ts";
import { ownLivesMax, seenLivesMax } from "../limits.ts";
import type { Heartbeat } from "../message.ts";
import type { LivenessView, RingView } from "../views.ts";
import {
  decodeLives,
  decodeSeen,
  encodeLives,
  encodeSeen,
  isKnown,
  withLife,
} from "./life-records.ts";
import type { Life, LivesMessage } from "./lives-message.ts";

export interface LivesTuning {
  /** Heartbeats that are covered ahead; more are when half of them are used. */
  readonly block: number;
  /** How often a member that has not answered is asked. */
  readonly askMs: Millis;
  /** How often what others' heartbeats are is saved; a new life at once. */
  readonly saveMs: Millis;
}

export const livesDefaults: LivesTuning = { block: 120, askMs: 250, saveMs: 60_000 };

export interface LivesParts {
  readonly self: NodeId;
  readonly started: Millis;
  readonly out: Out;
  readonly tuning: LivesTuning;
  readonly liveness: LivenessView;
  ring(): RingView;
  /** The latest that this node told of itself. */
  heartbeat(): number;
  /** Everything that this node holds has been compared with others. */
  isFilled(): boolean;
  /** The disk is older than what this node did with it. */
  onForgotten(now: Millis): void;
}

/** The names of its records. */
export const ownName = "lives";
export const seenName = "lives-seen";
/** Members asked at a time; in a large cluster the others in later turns. */
const asksMax = 32;

export class Lives {
  readonly #parts: LivesParts;
  /** Of this directory; the last is the present one. Undefined until it was read. */
  #own: readonly Life[] | undefined;
  #seen: Map<NodeId, readonly Life[]> | undefined;
  /** Heartbeats up to this one may be told. */
  #ceiling = 0;
  readonly #answered = new Set<NodeId>();
  /** Lives that this directory does not know, until they are accounted for. */
  #forgotten: readonly Life[] = [];
  /** Everything held is compared with others in this life, or was. */
  #isForgetful = false;
  #isSavingOwn = false;
  #isSavingSeen = false;
  /** A life is not saved yet; or only a heartbeat. */
  #hasNewLife = false;
  #hasNewHeartbeat = false;
  #askAt: Millis = 0;
  #saveAt: Millis = 0;
  /** When the own record is saved again after it could not be. */
  #retryAt: Millis = 0;

  constructor(parts: LivesParts) {
    this.#parts = parts;
  }

  start(_now: Millis): void {
    const { out } = this.#parts;
    out.store({ kind: "load-meta", name: ownName }, (outcome) => {
      this.#own = decodeLives(outcome.kind === "meta" ? outcome.bytes : undefined);
      this.#saveOwn();
    });
    out.store({ kind: "load-meta", name: seenName }, (outcome) => {
      this.#seen = decodeSeen(outcome.kind === "meta" ? outcome.bytes : undefined);
    });
  }

  /** Heartbeats that may be told; 0 while nothing may be. */
  get heartbeatMax(): number {
    return this.#ceiling;
  }

  /** Whether a majority of these, this node among them, has told it what it may have forgotten. */
  isTold(voters: readonly NodeId[]): boolean {
    const { self } = this.#parts;
    const told = voters.filter((node) => node === self || this.#answered.has(node));
    return 2 * told.length > voters.length;
  }

  /** What another member says of itself, or is said of it. */
  heard({ node, started, heartbeat }: Pick<Heartbeat, "node" | "started" | "heartbeat">): void {
    if (this.#seen === undefined || node === this.#parts.self) return;
    const lives = this.#seen.get(node) ?? [];
    const known = lives.find((life) => life.started === started);
    if (known !== undefined && known.heartbeat >= heartbeat) return;
    this.#seen.set(node, withLife(lives, { started, heartbeat }, seenLivesMax));
    if (known === undefined) this.#hasNewLife = true;
    else this.#hasNewHeartbeat = true;
  }

  receive(now: Millis, from: NodeId, message: LivesMessage): void {
    if (message.kind === "lives-ask") this.#answer(from, message);
    else if (message.started === this.#parts.started) this.#learn(now, from, message.forgotten);
  }

  tick(now: Millis): void {
    const { tuning } = this.#parts;
    const isLow = this.#ceiling - this.#parts.heartbeat() < tuning.block / 2;
    if (isLow && now >= this.#retryAt) this.#saveOwn();
    if (this.#forgotten.length > 0 && this.#parts.isFilled()) this.#account();
    if (now >= this.#askAt && this.#ceiling > 0) {
      this.#askAt = now + tuning.askMs;
      this.#ask();
    }
    if (this.#hasNewLife || (this.#hasNewHeartbeat && now >= this.#saveAt)) this.#saveSeen(now);
  }

  #ask(): void {
    const { self, started, out, liveness } = this.#parts;
    const members = this.#parts.ring().state.members;
    let room = asksMax;
    for (const { id, state } of members) {
      const isDue = id !== self && state !== "left" && !this.#answered.has(id);
      if (!isDue || !liveness.isLive(id)) continue;
      out.send(id, { kind: "lives-ask", started, lives: this.#own ?? [] });
      room -= 1;
      if (room === 0) return;
    }
  }

  /** Tells whoever asks of the lives that its record does not cover, and forgets the others. */
  #answer(from: NodeId, { started, lives }: LivesMessage & { readonly kind: "lives-ask" }): void {
    if (this.#seen === undefined) return;
    this.heard({ node: from, started, heartbeat: 0 });
    const seen = this.#seen.get(from) ?? [];
    const forgotten = seen.filter((life) => life.started !== started && !isKnown(life, lives));
    const kept = seen.filter((life) => life.started >= started || forgotten.includes(life));
    if (kept.length < seen.length) {
      this.#seen.set(from, kept);
      this.#hasNewHeartbeat = true;
    }
    this.#parts.out.send(from, { kind: "lives", started, forgotten });
  }

  #learn(now: Millis, from: NodeId, forgotten: readonly Life[]): void {
    this.#answered.add(from);
    const own = this.#own ?? [];
    const news = forgotten.filter((life) => {
      return !isKnown(life, own) && !isKnown(life, this.#forgotten);
    });
    const [first] = news;
    if (first === undefined) return;
    for (const life of news) this.#forgotten = withLife(this.#forgotten, life, ownLivesMax);
    this.#parts.out.notice({ kind: "forgotten", teller: from, started: first.started });
    // Whatever was forgotten was done before this start, so one comparison of all is enough.
    if (this.#isForgetful) return;
    this.#isForgetful = true;
    this.#parts.onForgotten(now);
  }

  /** Whatever was forgotten, everything held has been compared since. */
  #account(): void {
    for (const life of this.#forgotten) {
      this.#own = withLife(this.#own ?? [], life, ownLivesMax);
    }
    this.#forgotten = [];
    this.#saveOwn();
  }

  /** The present life with a higher ceiling, which holds once it is durable. */
  #saveOwn(): void {
    if (this.#own === undefined || this.#isSavingOwn) return;
    const { started, out, tuning } = this.#parts;
    const heartbeat = this.#parts.heartbeat() + tuning.block;
    this.#own = withLife(this.#own, { started, heartbeat }, ownLivesMax);
    this.#isSavingOwn = true;
    const bytes = encodeLives(this.#own);
    out.store({ kind: "save-meta", name: ownName, bytes }, (outcome, later) => {
      this.#isSavingOwn = false;
      if (outcome.kind === "failed") this.#retryAt = later + tuning.askMs;
      else this.#ceiling = Math.max(this.#ceiling, heartbeat);
    });
  }

  #saveSeen(now: Millis): void {
    if (this.#seen === undefined || this.#isSavingSeen) return;
    const ring = this.#parts.ring();
    for (const node of this.#seen.keys()) if (!isThere(ring, node)) this.#seen.delete(node);
    this.#hasNewLife = false;
    this.#hasNewHeartbeat = false;
    this.#isSavingSeen = true;
    this.#saveAt = now + this.#parts.tuning.saveMs;
    const bytes = encodeSeen(this.#seen);
    this.#parts.out.store({ kind: "save-meta", name: seenName, bytes }, (outcome) => {
      this.#isSavingSeen = false;
      if (outcome.kind === "failed") this.#hasNewHeartbeat = true;
    });
  }
}

function isThere({ state }: RingView, node: NodeId): boolean {
  return state.members.some((member) => member.id === node && member.state !== "left");
}
