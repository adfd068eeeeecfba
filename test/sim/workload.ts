/**
 * Clients for a world: each reads a key, and writes over what it saw, or blindly, or deletes. What
 * they saw is the history that the checks judge. A client that gets no answer asks another node
 * with the same operation, as the real one does.
 */
import type { CausalContext } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Command, Result } from "../../src/core/message.ts";
import type { Random } from "../../src/core/random.ts";
import { nameOfOperation } from "./answers.ts";
import { standsOnW } from "./atlas.ts";
import type { WriteSeen } from "./checks.ts";
import type { World } from "./world.ts";

export interface ClientOptions {
  readonly world: World;
  readonly random: Random;
  readonly keys: readonly string[];
  readonly history: WriteSeen[];
  readonly name: string;
  readonly deadlineMs: number;
  readonly w?: number;
  readonly r?: number;
  /** Nodes that this client can reach; all by default. */
  readonly nodes?: readonly NodeId[];
}

interface Seen {
  readonly context: CausalContext;
  readonly values: readonly string[];
}

const avoidMs = 2_000;

export class SimClient {
  readonly #options: ClientOptions;
  readonly #avoidUntil = new Map<NodeId, number>();
  /** Writes by their value: `history` as far as this client has looked at it. */
  readonly #known = new Map<string, WriteSeen[]>();
  #looked = 0;
  #writes = 0;
  answered = 0;
  refused = 0;
  /** What was said by those who did not do it. */
  readonly refusals: string[] = [];
  /** Answers that no history of writes explains. */
  readonly wrongs: string[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** One step of the client's life. */
  async act(): Promise<void> {
    const { random, keys } = this.#options;
    const key = keys[random.below(keys.length)]!;
    const choice = random.below(10);
    if (choice < 1) await this.write(key, undefined);
    else {
      const seen = await this.read(key);
      if (choice < 2 && seen !== undefined && seen.values.length > 0) await this.delete(key, seen);
      else if (choice < 9 && seen !== undefined) await this.write(key, seen);
    }
  }

  async read(key: string): Promise<Seen | undefined> {
    const { r, deadlineMs } = this.#options;
    const result = await this.#ask(() => ({
      kind: "get",
      key: keyFrom(key),
      r,
      strict: false,
      deadlineMs,
      trace: false,
    }));
    if (result?.kind !== "found") return undefined;
    const values = result.values.map(textOf);
    this.#judge(key, values);
    return { context: result.context, values };
  }

  /** What is read was written to that key, and not surely refused before. */
  #judge(key: string, values: readonly string[]): void {
    const { history } = this.#options;
    for (; this.#looked < history.length; this.#looked++) {
      const write = history[this.#looked];
      if (write?.value === undefined) continue;
      const others = this.#known.get(write.value) ?? [];
      this.#known.set(write.value, [...others, write]);
    }
    for (const value of values) {
      const writes = this.#known.get(value) ?? [];
      const isKnown = writes.some((write) => write.key === key && write.outcome !== "failed");
      if (!isKnown) this.wrongs.push(`${key}: ${value} was read and never written`);
    }
  }

  /** Over what was seen; without it, blindly. */
  async write(key: string, seen: Seen | undefined): Promise<WriteSeen> {
    const value = `${this.#options.name}.${++this.#writes}`;
    return this.#put(key, value, seen);
  }

  async delete(key: string, seen: Seen): Promise<WriteSeen> {
    return this.#put(key, undefined, seen);
  }

  async #put(key: string, value: string | undefined, seen: Seen | undefined): Promise<WriteSeen> {
    const { history, world, random, deadlineMs, w } = this.#options;
    const write: WriteSeen = { key, value, knew: seen?.values ?? [], outcome: "maybe" };
    history.push(write);
    const at = Math.floor(world.timeline.now);
    const nonce = random.below(2 ** 32);
    write.operation = nameOfOperation({ at, nonce });
    let attempts = 0;
    const result = await this.#ask(() => ({
      kind: "put",
      key: keyFrom(key),
      context: seen?.context,
      value: value === undefined ? undefined : Buffer.from(value),
      ttlMs: 0,
      operation: { at, nonce, retried: attempts++ > 0 },
      w,
      strict: false,
      deadlineMs,
      trace: false,
    }));
    if (result?.kind === "stored") {
      write.outcome = "acked";
      if (result.acks < (w ?? world.w) && standsOnW(world)) {
        this.wrongs.push(`${key}: ${value} was acknowledged with ${result.acks} copies`);
      }
    }
    // Only when every attempt was surely refused was nothing applied.
    else if (result?.kind === "failed" && result.applied === "no" && attempts === 1) {
      write.outcome = "failed";
    }
    return write;
  }

  /** Up to three attempts, each at another node. */
  async #ask(command: () => Command): Promise<Result | undefined> {
    const { world, random } = this.#options;
    let last: Result | undefined;
    for (let attempt = 0; attempt < 3; attempt++) {
      const live = world.serving.filter((id) => (this.#options.nodes ?? world.ids).includes(id));
      // As the real client does: a node that let a request wait is passed over for a while.
      const now = world.timeline.now;
      const prompt = live.filter((id) => (this.#avoidUntil.get(id) ?? 0) <= now);
      const choice = prompt.length > 0 ? prompt : live;
      if (choice.length === 0) return last;
      const node = choice[random.below(choice.length)]!;
      last = await world.request(node, command());
      if (last === undefined) this.#avoidUntil.set(node, world.timeline.now + avoidMs);
      if (last !== undefined && last.kind !== "failed") {
        this.answered += 1;
        return last;
      }
      this.refused += 1;
      const why = last === undefined ? "no answer" : `${last.code}: ${last.message}`;
      this.refusals.push(`${Math.round(world.timeline.now)} node ${node}: ${why}`);
    }
    return last;
  }
}

export function keyFrom(text: string) {
  return keyOf("", Buffer.from(text));
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
