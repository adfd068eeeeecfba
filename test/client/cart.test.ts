/**
 * The shopping cart of the system's source documents, on two replicas that lose sight of each
 * other. A cart that is a list, merged by union, keeps everything that was added, and brings back
 * what was taken out. A cart that is an OR-Set does not.
 */
import { expect, test } from "vitest";
import { fromSiblings } from "../../src/client/crdt/crdt.ts";
import { type OrSet, orSet } from "../../src/client/crdt/or-set.ts";
import { resolvers } from "../../src/client/resolve/resolver.ts";
import type { Operation } from "../../src/core/clock/operations.ts";
import {
  contextOf,
  merge,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";

/** One replica of one key, with the loop that every careful client runs. */
class Replica {
  versions: Versions = noVersions;
  readonly #actor: string;
  #writes = 0;

  constructor(actor: string) {
    this.#actor = actor;
  }

  /** get, merge, put: what the client read is what its write takes the place of. */
  update(change: (values: readonly Uint8Array[]) => Uint8Array): void {
    const read = this.versions;
    this.#writes += 1;
    const operation: Operation = {
      at: this.#writes,
      nonce: this.#actor.charCodeAt(0),
      retried: false,
    };
    const value = change(read.siblings.map((sibling) => sibling.value));
    const dot = { actor: this.#actor, counter: this.#writes };
    const what = { operation, time: this.#writes, expiresAt: 0, value };
    this.versions = write(read, contextOf(read), dot, what).versions;
  }

  /** Both replicas hear of all that the other has. */
  meet(other: Replica): void {
    const both = merge(this.versions, other.versions);
    this.versions = both;
    other.versions = both;
  }
}

function listIn({ versions }: Replica): readonly string[] {
  const siblings = versions.siblings.map(({ value, time, dot }) => ({
    value,
    time,
    actor: dot.actor,
  }));
  const value = resolvers.union(siblings);
  return value === undefined ? [] : JSON.parse(new TextDecoder().decode(value));
}

function list(...items: readonly string[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(items));
}

function cartIn(values: readonly Uint8Array[]): OrSet {
  const cart = fromSiblings<OrSet>(orSet, values);
  if (cart === undefined) throw new Error("this is not a cart");
  return cart;
}

test("union keeps what was added on both sides, and brings back what was taken out", () => {
  const [phone, laptop] = [new Replica("phone"), new Replica("laptop")];
  phone.update(() => list("book", "pen"));
  phone.meet(laptop);
  // The network breaks. Ann takes the pen out on her phone, and adds a lamp on her laptop.
  phone.update(() => list("book"));
  laptop.update(() => list("book", "pen", "lamp"));
  phone.meet(laptop);
  expect(phone.versions.siblings).toHaveLength(2);
  expect(listIn(phone)).toEqual(["book", "lamp", "pen"]);
});

test("an OR-Set keeps what was added on both sides, and what was taken out stays out", () => {
  const [phone, laptop] = [new Replica("phone"), new Replica("laptop")];
  const edit = (replica: Replica, change: (cart: OrSet) => OrSet): void =>
    replica.update((values) => orSet.encode(change(cartIn(values))));
  edit(phone, (cart) => orSet.add(orSet.add(cart, "book"), "pen"));
  phone.meet(laptop);
  edit(phone, (cart) => orSet.remove(cart, "pen"));
  edit(laptop, (cart) => orSet.add(cart, "lamp"));
  phone.meet(laptop);
  expect(phone.versions.siblings).toHaveLength(2);
  const values = phone.versions.siblings.map(({ value }) => value);
  expect(orSet.items(cartIn(values))).toEqual(["book", "lamp"]);
  // Somebody who adds the pen again, later, gets it.
  edit(laptop, (cart) => orSet.add(cart, "pen"));
  expect(orSet.items(cartIn(laptop.versions.siblings.map(({ value }) => value)))).toEqual([
    ...["book", "lamp", "pen"],
  ]);
});
