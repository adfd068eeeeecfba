/**
 * What versions must come to, said without vectors: an event is a client's operation and the set of
 * all operations that its writer had seen. A sibling is there exactly when no known operation had
 * seen it. Replicas, lossy messages and clients that retry run beside that model.
 */
import type { Operation } from "../../src/core/clock/operations.ts";
import {
  type CausalContext,
  contextOf,
  emptyContext,
  merge,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";

/** Operations are numbered; the number is also the operation's time and the value. */
type Id = number;

export interface Copy {
  readonly versions: Versions;
  readonly known: ReadonlySet<Id>;
}

/** The least and the most that a writer may be said to have seen. */
interface Event {
  readonly hasValue: boolean;
  readonly least: ReadonlySet<Id>;
  readonly most: ReadonlySet<Id>;
}

interface Client {
  context: CausalContext;
  least: ReadonlySet<Id>;
  most: ReadonlySet<Id>;
  /** Sent, and never answered. */
  pending: Put | undefined;
}

interface Put {
  readonly id: Id;
  readonly hasValue: boolean;
  readonly context: CausalContext;
}

export class CausalWorld {
  readonly replicas: Copy[];
  readonly messages: Copy[] = [];
  readonly events = new Map<Id, Event>();
  readonly #clients: Client[];
  readonly #counters: number[];
  #lastId = 0;

  constructor({ replicas, clients }: { readonly replicas: number; readonly clients: number }) {
    this.replicas = Array.from({ length: replicas }, () => noCopy);
    this.#counters = this.replicas.map(() => 0);
    this.#clients = Array.from({ length: clients }, newClient);
  }

  /** Through any replicas at once; their answers are merged, as a coordinator does. */
  read(client: number, replicas: readonly number[]): Versions {
    const found = replicas.map((replica) => this.replicas[replica]!).reduce(joined);
    const seen = this.#closure(found.known);
    Object.assign(this.#clients[client]!, {
      context: contextOf(found.versions),
      least: seen.least,
      most: seen.most,
      pending: undefined,
    });
    return found.versions;
  }

  forget(client: number): void {
    Object.assign(this.#clients[client]!, newClient());
  }

  /** The counters of a coordinator run on for other keys, too. */
  put(
    client: number,
    replica: number,
    options: { readonly hasValue: boolean; readonly isAnswered: boolean; readonly skip?: number },
  ): void {
    const asking = this.#clients[client]!;
    this.#counters[replica]! += options.skip ?? 0;
    const { least, most, context } = asking;
    const put = { id: ++this.#lastId, hasValue: options.hasValue, context };
    this.events.set(put.id, { hasValue: options.hasValue, least, most });
    this.#coordinate(asking, replica, { put, retried: false, isAnswered: options.isAnswered });
  }

  /** The same operation again, through any replica; false when there is nothing to retry. */
  retry(client: number, replica: number, isAnswered: boolean): boolean {
    const asking = this.#clients[client]!;
    const put = asking.pending;
    if (put === undefined) return false;
    this.#coordinate(asking, replica, { put, retried: true, isAnswered });
    return true;
  }

  deliver(message: number, replica: number): void {
    const copy = this.messages[message % Math.max(1, this.messages.length)];
    if (copy !== undefined) this.replicas[replica] = joined(this.replicas[replica]!, copy);
  }

  sync(one: number, other: number): void {
    const both = joined(this.replicas[one]!, this.replicas[other]!);
    this.replicas[one] = both;
    this.replicas[other] = both;
  }

  syncAll(): Copy {
    const all = [...this.replicas, ...this.messages].reduce(joined);
    this.replicas.fill(all);
    return all;
  }

  /** The siblings that a copy must have at least, and may have at most. */
  expected({ known }: Copy): { readonly least: readonly Id[]; readonly most: readonly Id[] } {
    return { least: this.#live(known, "most"), most: this.#live(known, "least") };
  }

  #live(known: ReadonlySet<Id>, by: "least" | "most"): readonly Id[] {
    const isLive = (id: Id): boolean =>
      this.events.get(id)!.hasValue && ![...known].some((other) => this.#saw(other, id, by));
    return [...known].filter(isLive).sort((a, b) => a - b);
  }

  #saw(one: Id, other: Id, by: "least" | "most"): boolean {
    return this.events.get(one)![by].has(other);
  }

  #coordinate(
    client: Client,
    replica: number,
    how: { readonly put: Put; readonly retried: boolean; readonly isAnswered: boolean },
  ): void {
    const { id, hasValue, context } = how.put;
    const before = this.replicas[replica]!;
    const dot = { actor: actorOf(replica), counter: ++this.#counters[replica]! };
    const operation: Operation = { at: id, nonce: 7, retried: how.retried };
    const value = hasValue ? Uint8Array.of(id) : undefined;
    const change = { operation, time: id, expiresAt: 0, value };
    const written = write(before.versions, context, dot, change);
    const known = new Set(before.known).add(id);
    const after = { versions: written.versions, known };
    this.replicas[replica] = after;
    this.messages.push(after);
    client.pending = how.put;
    if (!how.isAnswered) return;
    client.pending = undefined;
    client.context = written.context;
    const { least, most } = this.events.get(id)!;
    client.least = new Set(least).add(id);
    // The answer may also cover what is superseded where it was written, but no unseen sibling.
    const superseded = [...this.#closure(known).least].filter((old) =>
      [...known].some((other) => this.#saw(other, old, "least")),
    );
    client.most = new Set([...most, id, ...superseded]);
  }

  #closure(known: ReadonlySet<Id>): {
    readonly least: ReadonlySet<Id>;
    readonly most: ReadonlySet<Id>;
  } {
    const events = [...known].map((id) => this.events.get(id)!);
    return {
      least: new Set([...known, ...events.flatMap(({ least }) => [...least])]),
      most: new Set([...known, ...events.flatMap(({ most }) => [...most])]),
    };
  }
}

export function actorOf(replica: number): string {
  return (replica + 10).toString(16).padStart(16, "0");
}

/** The operations whose values are there, in order. */
export function siblingsOf({ siblings }: Versions): readonly Id[] {
  return siblings.map(({ value }) => value[0] ?? 0).sort((a, b) => a - b);
}

const noCopy: Copy = { versions: noVersions, known: new Set() };

function joined(a: Copy, b: Copy): Copy {
  return { versions: merge(a.versions, b.versions), known: new Set([...a.known, ...b.known]) };
}

function newClient(): Client {
  return { context: emptyContext, least: new Set(), most: new Set(), pending: undefined };
}
