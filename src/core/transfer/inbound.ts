/**
 * One partition on its way to this node. Chunks are asked for a few at a time, in the order of
 * tokens, and each is durable here before the next ones are asked for; so at most those few are in
 * flight. `after` says how far all is here. Merging is idempotent: a chunk that is lost, repeated
 * or late costs a question again and nothing else.
 *
 * Nothing is remembered over a restart: which leaves of the tree have something says enough. The
 * few keys of a leaf that was cut in two are found by the comparison that follows.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { Key } from "../key.ts";
import type { Entry, Hash, TransferMessage } from "../message.ts";
import { leavesPerTree } from "../sync/merkle.ts";
import { countMarked } from "./leaves.ts";

/**
 * `here`: as good as all is here already. `differs`: it has to be streamed. `busy`, `refused` and
 * `silent` is the source.
 */
export type InboundEnd = "streamed" | "here" | "differs" | "busy" | "refused" | "silent" | "store";

export interface InboundTuning {
  /** Chunks that are asked for at a time. */
  readonly chunks: number;
  readonly timeoutMs: Millis;
  /** At most this part of the time is spent, however idle the node is. */
  readonly shareMax: number;
}

export interface InboundParts {
  readonly partition: Partition;
  readonly out: Out;
  readonly tuning: InboundTuning;
  nextTransfer(): number;
  share(): number;
  partitionOf(key: Key): Partition;
  onEnd(now: Millis, end: InboundEnd): void;
}

type Chunk = TransferMessage & { readonly kind: "transfer-chunk" };
type Close = TransferMessage & { readonly kind: "transfer-close" };

interface Asked {
  readonly transfer: number;
  /** Of the question, or of the last chunk since. */
  at: Millis;
  /** The chunk that is to be merged next, and those that came before their turn. */
  index: number;
  readonly held: Map<number, Chunk>;
}

/** With fewer empty leaves than this comparing is cheaper than streaming. */
const emptyLeavesMin = leavesPerTree / 4;
const triesMax = 3;
/** After one chunk; several of them must not take longer than the source waits for a word. */
const restMsMax = 500;
const shareMin = 0.01;

export class Inbound {
  readonly #parts: InboundParts;
  source: NodeId | undefined;
  startedAt: Millis | undefined;
  /** Everything up to here is durable at this node. */
  after: Key | undefined;
  /** Keys that were news, and keys that were not; bytes of keys and values of all of them. */
  keys = 0;
  keysAgain = 0;
  bytes = 0;
  #root: Hash = { high: 0, low: 0 };
  #skip: Uint8Array = new Uint8Array(0);
  #isProbed = false;
  #asked: Asked | undefined;
  #isMerging = false;
  #tries = 0;
  /** Since when something was done without a rest: a chunk merged, or the first one awaited. */
  #busySince: Millis = 0;
  /** The end of the rest after a chunk. */
  #resumeAt: Millis | undefined;

  constructor(parts: InboundParts) {
    this.#parts = parts;
  }

  get partition(): Partition {
    return this.#parts.partition;
  }

  /** Whether anything has to be streamed at all. */
  probe(source: NodeId): void {
    this.source = source;
    this.#tries = 0;
    this.#look(source);
  }

  /** From this source, from the beginning or from where another one came to an end. */
  stream(now: Millis, source: NodeId): void {
    this.source = source;
    this.#isProbed = true;
    this.startedAt ??= now;
    this.#tries = 0;
    this.#ask(now);
  }

  /** The source is gone, or this node is not to hold the partition any more. */
  stop(): void {
    this.source = undefined;
    this.#asked = undefined;
    this.#resumeAt = undefined;
  }

  receive(now: Millis, from: NodeId, message: Chunk | Close): void {
    const asked = this.#asked;
    if (asked?.transfer !== message.transfer || from !== this.source) return;
    if (message.kind === "transfer-close") {
      this.#end(now, message.outcome === "equal" ? "here" : message.outcome);
      return;
    }
    const isSound = message.entries.every(
      ({ key }) => this.#parts.partitionOf(key) === this.partition,
    );
    if (!isSound || message.index >= this.#parts.tuning.chunks) {
      this.#end(now, "refused");
      return;
    }
    if (message.index < asked.index) return;
    asked.at = now;
    asked.held.set(message.index, message);
    this.#mergeNext(now, asked);
  }

  tick(now: Millis): void {
    if (this.#resumeAt !== undefined) {
      if (now < this.#resumeAt) return;
      this.#resumeAt = undefined;
      this.#goOn(now);
    }
    const asked = this.#asked;
    if (asked === undefined || this.#isMerging) return;
    if (now - asked.at < this.#parts.tuning.timeoutMs) return;
    this.#tries += 1;
    if (this.#tries >= triesMax) this.#end(now, "silent");
    else this.#ask(now);
  }

  /** How long to rest after the last chunk: in proportion to what it took. */
  restMs(now: Millis): Millis {
    const share = Math.max(shareMin, this.#parts.tuning.shareMax * this.#parts.share());
    return Math.min(restMsMax, (now - this.#busySince) * (1 / share - 1));
  }

  /** Reads which leaves are empty here. */
  #look(source: NodeId): void {
    const { partition, out } = this.#parts;
    out.store({ kind: "occupied", partition }, (outcome, now) => {
      if (this.source !== source) return;
      if (outcome.kind !== "occupied" || !outcome.ready) {
        this.#end(now, "store");
        return;
      }
      this.#root = outcome.root;
      this.#skip = outcome.leaves;
      const empty = leavesPerTree - countMarked(this.#skip);
      if (empty < emptyLeavesMin) this.#end(now, "here");
      else this.#ask(now);
    });
  }

  #ask(now: Millis): void {
    const { source, partition, after } = this;
    if (source === undefined) return;
    const { out, tuning } = this.#parts;
    const transfer = this.#parts.nextTransfer();
    this.#asked = { transfer, at: now, index: 0, held: new Map() };
    this.#busySince = now;
    const [root, skip] = [this.#root, this.#skip];
    const chunks = this.#isProbed ? tuning.chunks : 0;
    out.send(source, { kind: "transfer-ask", transfer, partition, root, skip, chunks, after });
  }

  #mergeNext(now: Millis, asked: Asked): void {
    if (this.#isMerging || this.#resumeAt !== undefined) return;
    const chunk = asked.held.get(asked.index);
    if (chunk === undefined) return;
    asked.held.delete(asked.index);
    if (asked.index > 0) this.#busySince = now;
    if (chunk.entries.length === 0) {
      this.#merged(now, asked, chunk);
      return;
    }
    this.#isMerging = true;
    const { entries, round } = chunk;
    this.#parts.out.store({ kind: "merge", entries, round }, (outcome, later) => {
      this.#isMerging = false;
      const isMerged = outcome.kind === "merged";
      if (outcome.kind === "merged") {
        this.keys += outcome.changed;
        this.keysAgain += entries.length - outcome.changed;
        this.bytes += bytesOf(entries);
      }
      if (this.#asked !== asked) {
        // Asked again meanwhile: what came of that waits for this.
        if (this.#asked !== undefined) this.#mergeNext(later, this.#asked);
      } else if (isMerged) this.#merged(later, asked, chunk);
      else this.#end(later, "store");
    });
  }

  #merged(now: Millis, asked: Asked, { next }: Chunk): void {
    asked.index += 1;
    asked.at = now;
    this.#tries = 0;
    if (next === undefined) {
      this.#end(now, "streamed");
      return;
    }
    this.after = next;
    const rest = this.restMs(now);
    // A rest after each chunk, not a longer one after several: requests meet short work only.
    if (rest >= 1) this.#resumeAt = now + rest;
    else this.#goOn(now);
  }

  #goOn(now: Millis): void {
    const asked = this.#asked;
    if (asked !== undefined && asked.index < this.#parts.tuning.chunks) {
      asked.at = now;
      this.#mergeNext(now, asked);
    } else this.#ask(now);
  }

  #end(now: Millis, end: InboundEnd): void {
    this.#asked = undefined;
    this.#resumeAt = undefined;
    this.#parts.onEnd(now, end);
  }
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { key, versions } of entries) {
    bytes += key.bytes.length;
    for (const { value } of versions.siblings) bytes += value.length;
  }
  return bytes;
}
