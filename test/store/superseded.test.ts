/** A late copy of an operation is known, however often its key was written since. */
import { describe, expect, test } from "vitest";
import {
  type Change,
  contextOf,
  emptyContext,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";
import { recentOperationsMax } from "../../src/core/limits.ts";
import { Superseded, supersededMin } from "../../src/store/superseded.ts";
import {
  ask,
  change,
  closeStore,
  coordinate,
  heldOf,
  keyFrom,
  openStore,
  valuesIn,
} from "./store-fixture.ts";

const cart = keyFrom("cart");
/** More overwrites than a record remembers operations of. */
const often = recentOperationsMax + 3;

function retried(once: Change): Change {
  return { ...once, operation: { ...once.operation, retried: true } };
}

/** What a node that missed everything makes of a late attempt. */
function lateCopy(once: Change): Versions {
  const dot = { actor: "00000000000000fe", counter: 1 };
  return write(noVersions, emptyContext, dot, retried(once)).versions;
}

describe("an operation that was superseded long ago", () => {
  async function overwritten() {
    const opened = await openStore();
    const once = change("milk");
    let { context } = await coordinate(opened.store, cart, once);
    for (let i = 0; i < often; i++) {
      // Later by its client's clock, so that the record forgets the first.
      const later = change(`bread ${i}`);
      const operation = { ...later.operation, at: once.operation.at + 1 + i };
      const next = await coordinate(opened.store, cart, { ...later, operation }, { context });
      context = { ...contextOf(next.versions), operations: [] };
    }
    const held = await heldOf(opened.store, cart);
    expect(held.operations.map(({ nonce }) => nonce)).not.toContain(once.operation.nonce);
    return { opened, once };
  }

  test("is not written again when it is retried", async () => {
    const { opened, once } = await overwritten();
    const again = await coordinate(opened.store, cart, retried(once));
    expect(again.isDuplicate).toBe(true);
    expect(valuesIn(await heldOf(opened.store, cart))).toEqual([`bread ${often - 1}`]);
    await closeStore(opened);
  });

  test("is no sibling when another node has taken the retry", async () => {
    const { opened, once } = await overwritten();
    const entries = [{ key: cart, versions: lateCopy(once) }];
    await ask(opened.store, { kind: "merge", entries, round: 0 });
    const held = await heldOf(opened.store, cart);
    expect(valuesIn(held)).toEqual([`bread ${often - 1}`]);
    // From here on the record itself remembers it, and tells the other replicas.
    expect(held.operations).toContainEqual(retried(once).operation);
    await closeStore(opened);
  });

  test("is another one under another key", async () => {
    const { opened, once } = await overwritten();
    const shop = keyFrom("shop");
    const first = await coordinate(opened.store, shop, retried(once));
    expect(first.isDuplicate).toBe(false);
    expect(valuesIn(await heldOf(opened.store, shop))).toEqual(["milk"]);
    await closeStore(opened);
  });
});

test("what a partition held was not superseded when it is dropped", async () => {
  const opened = await openStore();
  const once = change("milk");
  await coordinate(opened.store, cart, once);
  for (let partition = 0; partition < 16; partition++) {
    await ask(opened.store, { kind: "drop-partition", partition });
  }
  expect((await heldOf(opened.store, cart)).siblings).toEqual([]);
  const again = await coordinate(opened.store, cart, retried(once));
  expect(again.isDuplicate).toBe(false);
  expect(valuesIn(await heldOf(opened.store, cart))).toEqual(["milk"]);
  await closeStore(opened);
});

test("two copies of one write are not superseded by each other", async () => {
  const opened = await openStore();
  const once = retried(change("milk"));
  await coordinate(opened.store, cart, once);
  const entries = [{ key: cart, versions: lateCopy(once) }];
  await ask(opened.store, { kind: "merge", entries, round: 0 });
  expect(valuesIn(await heldOf(opened.store, cart))).toEqual(["milk"]);
  await closeStore(opened);
});

describe("the table", () => {
  const dot = { actor: "00000000000000aa", counter: 1 };
  const operationOf = (nonce: number) => ({ at: 1_700_000_000_000, nonce, retried: false });
  const value = new Uint8Array(1);
  const versionsOf = (nonce: number): Versions => {
    const sibling = { dot, operation: operationOf(nonce), time: 1, expiresAt: 0, value };
    return { ...noVersions, siblings: [sibling] };
  };
  const later: Versions = { ...versionsOf(0xffff_ffff), siblings: [] };
  const isKnown = (table: Superseded, nonce: number): boolean => {
    const operation = { ...operationOf(nonce), retried: true };
    return table.recall(cart, noVersions, operation).operations.length > 0;
  };

  test("knows the newest, and forgets what is older in the end", () => {
    const table = new Superseded();
    for (let nonce = 0; nonce < 3 * supersededMin; nonce++) {
      table.changed(cart, versionsOf(nonce), later);
    }
    const last = 3 * supersededMin - 1;
    for (let nonce = last; nonce > last - supersededMin; nonce--) {
      if (!isKnown(table, nonce)) expect.fail(`operation ${nonce} is forgotten`);
    }
    let known = 0;
    for (let nonce = 0; nonce <= last; nonce++) known += Number(isKnown(table, nonce));
    expect(known).toBeLessThanOrEqual(2 * supersededMin);
  });

  test("knows nothing of an operation that is there, or was there under the same dot", () => {
    const table = new Superseded();
    const before = versionsOf(1);
    const [sibling] = before.siblings;
    const bare = { ...before, siblings: [{ ...sibling!, operation: undefined }] };
    table.changed(cart, before, bare);
    expect(isKnown(table, 1)).toBe(false);
    table.changed(cart, before, noVersions);
    expect(isKnown(table, 1)).toBe(true);
    const retry = { ...operationOf(1), retried: true };
    expect(table.recall(cart, before, retry)).toBe(before);
  });

  test("looks for retried operations only", () => {
    const table = new Superseded();
    table.changed(cart, versionsOf(1), later);
    expect(table.recall(cart, noVersions, operationOf(1))).toBe(noVersions);
  });
});
