/**
 * What clients do, each lane one thing after the other. Every workload notes its writes in one
 * form: a value that is its own, on a key, and which values it supersedes. So one set of rules
 * judges all of them at the end; `shown` says which of those values a stored value stands for.
 *
 * - register: read, and write over what was read; in a session, so nothing may go back
 * - pile: blind writes, a few to each of ever new keys: nothing that comes later hides a loss; and
 *   large ones, so that logs fill; what lies deep is read and deleted
 * - churn: blind writes, writes over what was read, deletes
 * - set: elements are only ever added
 * - cart: items come and go (an OR-Set; its tags are the values)
 * - counter: each lane counts for itself (a PN-Counter; its counts are the values)
 */
import type { Random } from "../../src/core/random.ts";
import type { Bucket, Client, Crdt, OrSet } from "../../src/index.ts";
import type { Door } from "./cluster.ts";
import { type Failure, type History, type HistoryWrite, outcomeOf } from "./history.ts";
import { pick } from "./schedule.ts";

export interface LaneParts {
  readonly door: Door;
  readonly client: Client;
  readonly history: History;
  readonly random: Random;
  readonly name: string;
  readonly timeoutMs: number;
}

/** One step; gives how many lanes of it there are, and what its stored values stand for. */
export interface Workload {
  readonly lane: (parts: LaneParts) => () => Promise<void>;
  readonly shown: (door: Door, values: readonly Uint8Array[]) => readonly string[];
}

const keysPerWorkload = 6;
/** A set or cart gets so many operations, and then the next begins. */
const operationsPerKey = 60;
const writesPerPile = 2;
const pilesMax = 200;
const fillingBytesMax = 400;
const pileBytesMax = 10_000;
/** Of a value that nobody wrote. */
const shownMax = 600;
const items = ["milk", "bread", "apples", "tea"];

export const workloads = {
  register: { lane: register, shown: namesIn(fillingBytesMax) },
  churn: { lane: churn, shown: namesIn(fillingBytesMax) },
  pile: { lane: pile, shown: namesIn(pileBytesMax) },
  set: { lane: set, shown: elementsIn },
  cart: { lane: cart, shown: tagsIn },
  counter: { lane: counter, shown: countsIn },
} as const satisfies Readonly<Record<string, Workload>>;

export type WorkloadName = keyof typeof workloads;
export const workloadNames = Object.keys(workloads) as readonly WorkloadName[];

/** The workload that writes a key. */
export function workloadOf(key: string): WorkloadName {
  return key.slice(0, key.indexOf("/")) as WorkloadName;
}

/** Calls and writes of one lane. */
class Lane {
  readonly parts: LaneParts;
  readonly #workload: WorkloadName;
  #count = 0;

  constructor(parts: LaneParts, workload: WorkloadName) {
    this.parts = parts;
    this.#workload = workload;
  }

  get next(): string {
    return `${this.parts.name}.${++this.#count}`;
  }

  get count(): number {
    return this.#count;
  }

  async call<T>(what: string, run: () => Promise<T>) {
    const { history, timeoutMs } = this.parts;
    return history.call({ workload: this.#workload, what, timeoutMs }, run);
  }

  async read(verbs: Pick<Bucket, "get">, key: string) {
    const { door, history, timeoutMs } = this.parts;
    const got = await this.call(`get ${key}`, () => verbs.get(key, { timeoutMs }));
    if (!("done" in got)) return undefined;
    const values = workloads[this.#workload].shown(door, got.done.values);
    history.read(key, values);
    return { values, context: got.done.context };
  }

  /** `send` makes the call; what it adds to `knew` is superseded too. */
  async write(
    write: { readonly key: string; readonly value: string | undefined; readonly knew: string[] },
    send: () => Promise<unknown>,
  ): Promise<HistoryWrite> {
    const { history } = this.parts;
    const noted = history.begin({ ...write, workload: this.#workload });
    const what = write.value === undefined ? "delete" : "put";
    const sent = await this.call(`${what} ${write.key}`, send);
    const failure: Failure | undefined = "failed" in sent ? sent.failed : undefined;
    history.end(noted, outcomeOf(failure));
    return noted;
  }
}

function register(parts: LaneParts): () => Promise<void> {
  const lane = new Lane(parts, "register");
  const { client, random, history, timeoutMs } = parts;
  const session = client.session();
  /** By key, the last write of this session that was acknowledged. */
  const own = new Map<string, string>();
  return async () => {
    const key = `register/${random.below(keysPerWorkload)}`;
    const seen = await lane.read(session, key);
    if (seen === undefined) return;
    const mine = own.get(key);
    if (mine !== undefined && !seen.values.includes(mine)) {
      const isOver = history.writes.some(
        (write) => write.key === key && write.outcome !== "failed" && write.knew.includes(mine),
      );
      if (!isOver) history.wrongs.push(`${key}: a session wrote ${mine} and does not read it`);
    }
    const value = lane.next;
    const { context } = seen;
    const write = await lane.write({ key, value, knew: [...seen.values] }, () =>
      session.put(key, bytesFor(value), { context, timeoutMs }),
    );
    if (write.outcome === "acked") own.set(key, value);
  };
}

function churn(parts: LaneParts): () => Promise<void> {
  const lane = new Lane(parts, "churn");
  const { client, random, timeoutMs } = parts;
  return async () => {
    const key = `churn/${random.below(keysPerWorkload)}`;
    const choice = random.below(10);
    const value = choice < 6 ? lane.next : undefined;
    if (choice < 2) {
      await lane.write({ key, value, knew: [] }, () =>
        client.put(key, bytesFor(String(value)), { timeoutMs }),
      );
      return;
    }
    const seen = await lane.read(client, key);
    if (seen === undefined) return;
    const { context } = seen;
    await lane.write({ key, value, knew: [...seen.values] }, () =>
      value === undefined
        ? client.delete(key, { context, timeoutMs })
        : client.put(key, bytesFor(value), { context, timeoutMs }),
    );
  };
}

function pile(parts: LaneParts): () => Promise<void> {
  const lane = new Lane(parts, "pile");
  const { client, name, timeoutMs } = parts;
  const keyOf = (pile: number): string => `pile/${name}.${pile}`;
  return async () => {
    const value = lane.next;
    const pile = Math.floor(lane.count / writesPerPile);
    const key = keyOf(pile);
    await lane.write({ key, value, knew: [] }, () =>
      client.put(key, filled(value, pileBytesMax), { timeoutMs }),
    );
    if (pile < pilesMax || lane.count % writesPerPile > 0) return;
    const deep = keyOf(pile - pilesMax);
    const seen = await lane.read(client, deep);
    if (seen === undefined) return;
    const { context, values } = seen;
    await lane.write({ key: deep, value: undefined, knew: [...values] }, () =>
      client.delete(deep, { context, timeoutMs }),
    );
  };
}

function set(parts: LaneParts): () => Promise<void> {
  const lane = new Lane(parts, "set");
  const { client, door, timeoutMs } = parts;
  const { gSet } = door;
  return async () => {
    const value = lane.next;
    const key = `set/${Math.floor(lane.count / operationsPerKey)}`;
    await lane.write({ key, value, knew: [] }, () =>
      client.update(key, (values) => gSet.encode(gSet.add(merged(door, gSet, values), value)), {
        timeoutMs,
      }),
    );
  };
}

function cart(parts: LaneParts): () => Promise<void> {
  const lane = new Lane(parts, "cart");
  const { client, door, random, timeoutMs } = parts;
  const { orSet } = door;
  return async () => {
    const tag = lane.next;
    const key = `cart/${Math.floor(lane.count / operationsPerKey)}`;
    const item = pick(items, random) ?? "";
    if (random.below(3) > 0) {
      const add = (state: OrSet): OrSet =>
        state.removed.has(tag) ? state : orSet.add(state, item, tag);
      await lane.write({ key, value: tag, knew: [] }, () =>
        client.update(key, (values) => orSet.encode(add(merged(door, orSet, values))), {
          timeoutMs,
        }),
      );
      return;
    }
    const knew: string[] = [];
    await lane.write({ key, value: undefined, knew }, () =>
      client.update(
        key,
        (values) => {
          const state = merged(door, orSet, values);
          knew.push(...(state.items.get(item) ?? []));
          return orSet.encode(orSet.remove(state, item));
        },
        { timeoutMs },
      ),
    );
  };
}

function counter(parts: LaneParts): () => Promise<void> {
  const lane = new Lane(parts, "counter");
  const { client, door, random, name, timeoutMs } = parts;
  const { pnCounter } = door;
  const key = "counter/0";
  let count = 0;
  /** From the last one that was acknowledged on: those before it are under it. */
  let before: string[] = [];
  return async () => {
    // A writer knows its own count, whatever a read shows: that is what makes it a writer.
    count += 1 + random.below(3);
    const mine = { up: new Map([[name, count]]), down: new Map<string, number>() };
    const value = `${name}=${count}`;
    const write = await lane.write({ key, value, knew: [...before] }, () =>
      client.update(
        key,
        (values) => pnCounter.encode(pnCounter.merge(merged(door, pnCounter, values), mine)),
        { timeoutMs },
      ),
    );
    before = write.outcome === "acked" ? [value] : [...before, value];
  };
}

/** The bytes of a value: its name, and a length and filling that follow from it. */
export function bytesFor(name: string): string {
  return filled(name, fillingBytesMax);
}

function filled(name: string, fillingMax: number): string {
  const sum = [...name].reduce((total, letter) => total * 31 + letter.charCodeAt(0), 7);
  return `${name}:`.padEnd(name.length + 1 + (sum % fillingMax), name);
}

function namesIn(fillingMax: number) {
  return (_door: Door, values: readonly Uint8Array[]): readonly string[] =>
    values.map((bytes) => {
      const text = Buffer.from(bytes).toString();
      const name = text.slice(0, text.indexOf(":"));
      if (filled(name, fillingMax) === text) return name;
      return `the broken value ${JSON.stringify(text.slice(0, shownMax))}`;
    });
}

function elementsIn(door: Door, values: readonly Uint8Array[]): readonly string[] {
  return [...merged(door, door.gSet, values)];
}

/** Those that count: what was removed once stays so, wherever an old copy shows it. */
function tagsIn(door: Door, values: readonly Uint8Array[]): readonly string[] {
  const { items: held, removed } = merged(door, door.orSet, values);
  return [...held.values()].flatMap((tags) => [...tags]).filter((tag) => !removed.has(tag));
}

function countsIn(door: Door, values: readonly Uint8Array[]): readonly string[] {
  const { up } = merged(door, door.pnCounter, values);
  return [...up].map(([writer, count]) => `${writer}=${count}`);
}

function merged<State>(door: Door, crdt: Crdt<State>, values: readonly Uint8Array[]): State {
  const state = door.fromSiblings(crdt, values);
  if (state === undefined) throw new Error("a value is not of the type that was written there");
  return state;
}
