/**
 * Actors by a small number: an actor is 8 bytes of chance, and a record names it in one or two.
 * The table lives in the engine; an actor's line is written in the same batch as the first record
 * that needs it, and with every other one until that batch is known to have been written.
 */
import type { BatchOperation, Engine } from "../../native-free-engine/index.ts";
import type { Actor } from "../core/ids.ts";
import { actorIndexIn, actorKey, kindActor, rangeOfKind } from "./keyspace.ts";

/** All that the encoding of records needs of the table. */
export interface ActorNumbers {
  indexOf(actor: Actor): number;
  actorAt(index: number): Actor | undefined;
}

const actorBytes = 8;
const linesPerRead = 1000;

export class ActorTable implements ActorNumbers {
  readonly #actors: Actor[] = [];
  readonly #indices = new Map<Actor, number>();
  /** Not known to be in the engine yet. */
  readonly #unsaved = new Set<number>();
  /** Those of them that were asked for since the last `takeNamed`. */
  readonly #named = new Set<number>();

  static async load(engine: Engine): Promise<ActorTable> {
    const table = new ActorTable();
    const scan = engine.scan(rangeOfKind(kindActor));
    for (;;) {
      const lines = await scan.nextMany(linesPerRead);
      for (const [key, value] of lines) table.#put(actorIndexIn(key), hexOf(value));
      if (lines.length === 0) break;
    }
    await scan.close();
    return table;
  }

  get size(): number {
    return this.#actors.length;
  }

  /** The number of an actor; a new one if it has none. */
  indexOf(actor: Actor): number {
    let index = this.#indices.get(actor);
    if (index === undefined) {
      if (!/^[0-9a-f]{16}$/.test(actor)) throw new TypeError(`"${actor}" is no actor`);
      index = this.#actors.length;
      this.#put(index, actor);
      this.#unsaved.add(index);
    }
    if (this.#unsaved.size > 0 && this.#unsaved.has(index)) this.#named.add(index);
    return index;
  }

  actorAt(index: number): Actor | undefined {
    return this.#actors[index];
  }

  /** The numbers that must be written together with what was just encoded; mostly none. */
  takeNamed(): readonly number[] {
    if (this.#named.size === 0) return none;
    const named = [...this.#named];
    this.#named.clear();
    return named;
  }

  lineOf(index: number): BatchOperation {
    const value = Buffer.from(this.#actors[index] ?? "", "hex");
    return { type: "put", key: actorKey(index), value };
  }

  saved(indices: readonly number[]): void {
    for (const index of indices) this.#unsaved.delete(index);
  }

  #put(index: number, actor: Actor): void {
    this.#actors[index] = actor;
    this.#indices.set(actor, index);
  }
}

const none: readonly number[] = [];

function hexOf(bytes: Uint8Array): Actor {
  return Buffer.from(bytes.buffer, bytes.byteOffset, actorBytes).toString("hex");
}
