/**
 * The keys that seal contexts: minted at founding, handed to whoever joins, and rotated when an
 * administrator says so. The last two are accepted. Peers tell each other their keys whenever a
 * connection between them comes up and whenever they learn of a newer one, so that a node which was
 * away hears of it; clients never do. A key is durable before it is used or told.
 */
import type { MacKey } from "../core/context-token.ts";
import { type Contexts, contextsOf, type MacKeys } from "./contexts.ts";

export interface ContextKeysParts {
  readonly clusterId: string;
  readonly keys: MacKeys;
  newKey(number: number): MacKey;
  save(keys: MacKeys): Promise<void>;
  /** Tells every peer that can be reached. */
  tell(keys: MacKeys): void;
  failed(error: unknown): void;
}

const keptMax = 2;
/** A new key opens at once, but seals only when all others had time to learn of it, too. */
const settleMs = 5_000;

export class ContextKeys implements Contexts {
  readonly #parts: ContextKeysParts;
  #keys: MacKeys;
  #contexts: Contexts;
  /** One change at a time: each builds on what the one before has saved. */
  #saving: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ContextKeysParts) {
    this.#parts = parts;
    this.#keys = parts.keys;
    this.#contexts = contextsOf(parts.clusterId, parts.keys);
  }

  get keys(): MacKeys {
    return this.#keys;
  }

  readonly seal: Contexts["seal"] = (seen, key) => this.#contexts.seal(seen, key);
  readonly open: Contexts["open"] = (token, key) => this.#contexts.open(token, key);

  /** Rejects when the disk refuses the new key; then nothing has changed. */
  rotate(): Promise<number> {
    return this.#change(() => {
      const [newest] = this.#keys;
      return [this.#parts.newKey(newest.number + 1)];
    }).then(() => this.#keys[0].number);
  }

  /** What a peer told. */
  learn(keys: readonly MacKey[]): void {
    this.#change(() => keys).catch((error: unknown) => this.#parts.failed(error));
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #change(more: () => readonly MacKey[]): Promise<void> {
    const changed = this.#saving.then(async () => {
      const keys = merged(this.#keys, more());
      if (isSame(keys, this.#keys)) return;
      await this.#parts.save(keys);
      this.#adopt(keys);
    });
    this.#saving = changed.catch(() => undefined);
    return changed;
  }

  #adopt(keys: MacKeys): void {
    const { clusterId, tell } = this.#parts;
    const sealing = this.#keys[0];
    this.#keys = keys;
    // The one that sealed so far goes first for a while, if it is still accepted.
    const before = keys.filter(({ number }) => number === sealing.number);
    const others = keys.filter(({ number }) => number !== sealing.number);
    const [first, ...rest] = [...before, ...others];
    if (first !== undefined) this.#contexts = contextsOf(clusterId, [first, ...rest]);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#contexts = contextsOf(clusterId, this.#keys);
    }, settleMs).unref();
    tell(keys);
  }
}

/** The newest first. Of two with one number, made at once on two nodes, all keep the same one. */
function merged(known: MacKeys, told: readonly MacKey[]): MacKeys {
  const byNumber = new Map<number, MacKey>(known.map((key) => [key.number, key]));
  for (const key of told) {
    const other = byNumber.get(key.number);
    if (other === undefined || Buffer.compare(other.bytes, key.bytes) < 0) {
      byNumber.set(key.number, key);
    }
  }
  const [newest = known[0], ...older] = [...byNumber.values()].sort((a, b) => b.number - a.number);
  return [newest, ...older.slice(0, keptMax - 1)];
}

function isSame(a: MacKeys, b: MacKeys): boolean {
  return (
    a.length === b.length &&
    a.every(({ number, bytes }, i) => {
      const other = b[i];
      return other?.number === number && Buffer.compare(other.bytes, bytes) === 0;
    })
  );
}
