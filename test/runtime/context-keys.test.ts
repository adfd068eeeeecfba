/** Keys of contexts: rotated, told to peers, durable first, the last two accepted. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Status } from "../../src/core/admin/status.ts";
import { emptyContext } from "../../src/core/clock/versions.ts";
import { keyOf } from "../../src/core/key.ts";
import { ContextKeys } from "../../src/runtime/context-keys.ts";
import type { MacKeys } from "../../src/runtime/contexts.ts";
import { newMacKey } from "../../src/runtime/identity.ts";
import { ClosedWorld } from "./closed-world.ts";
import { clusterId } from "./wires.ts";

const key = keyOf("", Uint8Array.of(107));
const context = { ...emptyContext, vector: [{ actor: "0".repeat(16), counter: 3, time: 0 }] };
const founding: MacKeys = [newMacKey()];

function member(keys: MacKeys = founding, save: (keys: MacKeys) => Promise<void> = async () => {}) {
  const saved: MacKeys[] = [];
  const told: MacKeys[] = [];
  const failures: unknown[] = [];
  const own = new ContextKeys({
    ...{ clusterId, keys, newKey: newMacKey },
    save: async (all) => {
      await save(all);
      saved.push(all);
    },
    tell: (all) => void told.push(all),
    failed: (error) => void failures.push(error),
  });
  const seal = () => own.seal({ context, fastest: 1 }, key);
  const opens = (token: Uint8Array): string => {
    const opened = own.open(token, key);
    return opened.kind === "failed" ? opened.code : "opened";
  };
  return { own, saved, told, failures, seal, opens };
}

/** Keys as text, so that they can be compared. */
const told = (keys: MacKeys): string =>
  keys.map(({ number, bytes }) => `${number} ${Buffer.from(bytes).toString("hex")}`).join();

const numberIn = (token: Uint8Array): number | undefined => token[1];

describe("on one node", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("a new key opens at once, and seals when others had time to learn of it", async () => {
    const { own, seal, opens, saved, told } = member();
    const old = seal();
    expect(await own.rotate()).toBe(2);
    expect(saved).toHaveLength(1);
    expect(told).toEqual(saved);
    vi.advanceTimersByTime(4_999);
    expect(numberIn(seal())).toBe(1);
    vi.advanceTimersByTime(1);
    expect(numberIn(seal())).toBe(2);
    expect([opens(old), opens(seal())]).toEqual(["opened", "opened"]);
    own.close();
  });

  test("the last two are accepted, and no third", async () => {
    const { own, seal, opens } = member();
    const tokens = [seal()];
    for (let i = 0; i < 3; i++) {
      await own.rotate();
      vi.advanceTimersByTime(5_000);
      tokens.push(seal());
    }
    expect(tokens.map(numberIn)).toEqual([1, 2, 3, 4]);
    expect(tokens.map(opens)).toEqual([
      ...["CONTEXT_INVALID", "CONTEXT_INVALID", "opened", "opened"],
    ]);
    own.close();
  });

  test("a key that the disk refuses is neither used nor told", async () => {
    const { own, told, seal } = member(founding, () => Promise.reject(new Error("full")));
    await expect(own.rotate()).rejects.toThrow("full");
    vi.advanceTimersByTime(5_000);
    expect([own.keys, told, numberIn(seal())]).toEqual([founding, [], 1]);
    own.close();
  });
});

describe("between nodes", () => {
  test("one that was away learns the newest two, and its old ones are not taken up", async () => {
    const [here, away] = [member(), member()];
    await here.own.rotate();
    await here.own.rotate();
    away.own.learn(here.own.keys);
    here.own.learn(away.own.keys);
    await expect.poll(() => away.own.keys.map(({ number }) => number)).toEqual([3, 2]);
    expect(away.own.keys).toEqual(here.own.keys);
    expect(here.own.keys.map(({ number }) => number)).toEqual([3, 2]);
    // Told on, so that it reaches those whom the first cannot.
    expect(away.told).toHaveLength(1);
    away.own.learn(here.own.keys);
    await Promise.resolve();
    expect(away.told).toHaveLength(1);
    for (const { own } of [here, away]) own.close();
  });

  test("two that rotate at once end with the same keys", async () => {
    const nodes = [member(), member(), member()] as const;
    const [a, b, c] = nodes;
    await Promise.all([a.own.rotate(), b.own.rotate()]);
    const [ofA, ofB] = [a.own.keys, b.own.keys];
    a.own.learn(ofB);
    b.own.learn(ofA);
    c.own.learn(ofA);
    c.own.learn(ofB);
    // Each change is saved first, so all of them are a moment away.
    const distinct = (): number => new Set(nodes.map(({ own }) => told(own.keys))).size;
    await expect.poll(distinct).toBe(1);
    expect([told(ofA), told(ofB)]).toContain(told(a.own.keys));
    for (const { own } of nodes) own.close();
  });

  test("in a real cluster a rotation reaches every member, also one that was away", async () => {
    const world = new ClosedWorld();
    try {
      const peerSecretFile = world.secret();
      const first = await world.start("a", { peerSecretFile });
      const join = [first.address];
      const second = await world.start("b", { join, peerSecretFile });
      const third = await world.start("c", { join, peerSecretFile });
      const client = await world.connect(first);
      const isWhole = async (): Promise<boolean> => {
        const { nodes, transfers } = (await client.admin("status")) as Status;
        return nodes.every(({ live }) => live) && nodes.length === 3 && transfers === 0;
      };
      await expect.poll(isWhole, { timeout: 30_000 }).toBe(true);
      const { context: before } = await client.put("key", "1", { w: 3 });
      await third.close();
      expect(await client.admin("rotate-context-key")).toEqual({ number: 2 });
      const back = await world.start("c", { peerSecretFile });
      // Sealed with the new key, five seconds later.
      const sealed = async (): Promise<number | undefined> =>
        numberIn(Buffer.from(String((await client.get("key")).context), "base64url"));
      await expect.poll(sealed, { timeout: 10_000 }).toBe(2);
      const { context: after } = await client.get("key");
      for (const node of [second, back]) {
        const other = await world.connect(node);
        await other.put("key", "2", { context: before });
        await other.put("key", "3", { context: after });
      }
    } finally {
      await world.close();
    }
  });
});
