/**
 * The floors of this node's partitions (core/clock/floor.ts), each in one record of meta:
 *
 *   floor.<partition>   version (1): 1, number round, number promised, number expiredBefore,
 *                       count of events, then each: number of the actor, number counter
 *
 * Numbers are varints of up to 53 bits; actors go by the actor table. `promised` is the last round
 * for which this node said that it holds all that the round will be proven by. A floor of a later
 * round was proven without it, so nothing below that floor may be believed here: RoundState.
 */
import type { BatchOperation, Engine } from "../../native-free-engine/index.ts";
import { type Floor, noFloor, sortedEvents } from "../core/clock/floor.ts";
import type { Actor, Partition } from "../core/ids.ts";
import type { ActorTable } from "./actor-table.ts";
import { metaKey } from "./keyspace.ts";
import { RecordReader } from "./record-reader.ts";
import { RecordWriter } from "./record-writer.ts";

interface Ground {
  readonly floor: Floor;
  readonly promised: number;
  /** A floor that is being taken over: it keeps the old out already. */
  readonly next: Floor | undefined;
}

const writer = new RecordWriter();
const reader = new RecordReader();
const version = 1;
const virgin: Ground = { floor: noFloor, promised: 0, next: undefined };

export class Floors {
  readonly #engine: Engine;
  readonly #actors: ActorTable;
  readonly #grounds = new Map<Partition, Ground>();

  /** A record that cannot be read is no floor: the node fills such a partition anew. */
  static async load(engine: Engine, actors: ActorTable, partitions: number): Promise<Floors> {
    const floors = new Floors(engine, actors);
    for (let partition = 0; partition < partitions; partition++) {
      const bytes = await engine.get(metaKey(nameOf(partition)));
      const ground = bytes === undefined ? undefined : decode(bytes, actors);
      if (ground !== undefined) floors.#grounds.set(partition, ground);
    }
    return floors;
  }

  private constructor(engine: Engine, actors: ActorTable) {
    this.#engine = engine;
    this.#actors = actors;
  }

  of(partition: Partition): Floor {
    return this.#ground(partition).floor;
  }

  /** What old messages are held against: the floor, or the next one before it is in force. */
  guard(partition: Partition): Floor {
    const { floor, next } = this.#ground(partition);
    return next ?? floor;
  }

  promised(partition: Partition): number {
    return this.#ground(partition).promised;
  }

  expect(partition: Partition, next: Floor): void {
    this.#grounds.set(partition, { ...this.#ground(partition), next });
  }

  /** In force at once; resolves when that is durable, and with it all that was written before. */
  raise(partition: Partition, floor: Floor): Promise<void> {
    const { promised } = this.#ground(partition);
    return this.#save(partition, { floor, promised, next: undefined });
  }

  promise(partition: Partition, round: number): Promise<void> {
    const ground = this.#ground(partition);
    const promised = Math.max(ground.promised, round);
    return this.#save(partition, { ...ground, promised });
  }

  /** The partition is gone from this node. */
  async forget(partition: Partition): Promise<void> {
    if (!this.#grounds.delete(partition)) return;
    await this.#engine.delete(metaKey(nameOf(partition)));
  }

  async #save(partition: Partition, ground: Ground): Promise<void> {
    this.#grounds.set(partition, ground);
    const actors = this.#actors;
    const value = encode(ground, actors);
    const named = actors.takeNamed();
    const lines: BatchOperation[] = named.map((index) => actors.lineOf(index));
    const record: BatchOperation = { type: "put", key: metaKey(nameOf(partition)), value };
    await this.#engine.batch([...lines, record], { sync: true });
    actors.saved(named);
  }

  #ground(partition: Partition): Ground {
    return this.#grounds.get(partition) ?? virgin;
  }
}

function nameOf(partition: Partition): string {
  return `floor.${partition}`;
}

function encode({ floor, promised }: Ground, actors: ActorTable): Uint8Array {
  const events = sortedEvents(floor.events);
  writer.start(40 + 16 * events.length);
  writer.byte(version);
  writer.number(floor.round);
  writer.number(promised);
  writer.number(floor.expiredBefore);
  writer.number(events.length);
  for (const { actor, counter } of events) {
    writer.number(actors.indexOf(actor));
    writer.number(counter);
  }
  return writer.take().slice();
}

function decode(bytes: Uint8Array, actors: ActorTable): Ground | undefined {
  reader.start(bytes);
  if (reader.byte() !== version) return undefined;
  const round = reader.number();
  const promised = reader.number();
  const expiredBefore = reader.number();
  const events = new Map<Actor, number>();
  for (let left = reader.count(reader.number()); left > 0; left--) {
    const actor = actors.actorAt(reader.number());
    const counter = reader.number();
    if (actor === undefined) reader.fail("an actor that the table lacks");
    else events.set(actor, counter);
  }
  if (reader.finish() !== undefined) return undefined;
  return { floor: { round, events, expiredBefore }, promised, next: undefined };
}
