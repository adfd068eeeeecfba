/** Buckets and values that expire, told by whole clusters in virtual time. */
import { describe, expect, test } from "vitest";
import type { CausalContext } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Command } from "../../src/core/message.ts";
import { textOf } from "./workload.ts";
import { World } from "./world.ts";

let operations = 0;

type Put = Command & { readonly kind: "put" };

function put(world: World, at: NodeId, value: string | undefined, more: Partial<Put> = {}) {
  operations += 1;
  return world.ask(at, {
    ...{ kind: "put", key: keyIn("sessions"), context: undefined, ttlMs: undefined, w: undefined },
    value: value === undefined ? undefined : Buffer.from(value),
    operation: { at: Math.floor(world.timeline.now), nonce: operations, retried: false },
    ...{ strict: false, deadlineMs: 2_000, trace: false },
    ...more,
  });
}

function keyIn(bucket: string, text = "key") {
  return keyOf(bucket, Buffer.from(text));
}

async function valuesAt(world: World, at: NodeId, r?: number): Promise<string[]> {
  return (await foundAt(world, at, r)).values;
}

async function foundAt(
  world: World,
  at: NodeId,
  r?: number,
): Promise<{ values: string[]; context: CausalContext }> {
  const about = { strict: false, deadlineMs: 2_000, trace: false };
  const result = await world.ask(at, { kind: "get", key: keyIn("sessions"), r, ...about });
  if (result?.kind !== "found") throw new Error(`get at ${at}: ${JSON.stringify(result)}`);
  return { values: result.values.map(textOf).sort(), context: result.context };
}

async function worldWith(properties: object, nodes = 3): Promise<World> {
  const world = new World({ seed: 20261121, nodes });
  await world.start();
  await world.admin(1, "bucket-create", { name: "sessions", ...properties });
  return world;
}

describe("a bucket", () => {
  test("is followed by every live node once the command is answered", async () => {
    for (const delayMs of [1, 300]) {
      const world = new World({ seed: 2, nodes: 3 });
      await world.start();
      world.crash(2);
      world.network.weather = { ...world.network.weather, delayMsMin: 1, delayMsMax: delayMs };
      await world.admin(1, "bucket-create", { name: "sessions", ttlMs: 5_000 });
      const { buckets } = (await world.admin(3, "bucket-list", {})) as { buckets: object[] };
      expect(buckets).toHaveLength(1);
    }
  });

  test("is known to every node once it is created through one, and who was away", async () => {
    const world = new World({ seed: 1, nodes: 3 });
    await world.start();
    world.crash(3);
    await world.admin(1, "bucket-create", { name: "sessions", ttlMs: 5_000 });
    await world.admin(2, "bucket-set", { name: "sessions", w: 1 });
    await world.restart(3);
    await world.run(5_000);
    for (const id of world.ids) {
      const answer = await world.admin(id, "bucket-list", {});
      expect(answer).toMatchObject({ buckets: [{ name: "sessions", w: 1, ttlMs: 5_000 }] });
    }
  });

  test("says what r and w are where a request does not", async () => {
    const world = await worldWith({ r: 3, w: 3 });
    expect(await put(world, 1, "a")).toMatchObject({ kind: "stored", acks: 3 });
    world.crash(3);
    await world.run(6_000);
    const strict = { strict: true };
    expect(await put(world, 1, "b", strict)).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
    expect(await put(world, 1, "b", { ...strict, w: 2 })).toMatchObject({ kind: "stored" });
    // Elsewhere the cluster's own two are enough.
    const other = { ...strict, key: keyIn("other") };
    expect(await put(world, 1, "c", other)).toMatchObject({ kind: "stored" });
    const get = { kind: "get", r: undefined, deadlineMs: 500, trace: false, ...strict } as const;
    expect(await world.ask(1, { ...get, key: keyIn("sessions") })).toMatchObject({
      code: "QUORUM_UNAVAILABLE",
    });
    expect(await world.ask(1, { ...get, key: keyIn("other") })).toMatchObject({ kind: "found" });
  });

  test("says how long values live where a write does not", async () => {
    const world = await worldWith({ ttlMs: 10_000 });
    await put(world, 1, "usual");
    await put(world, 2, "short", { ttlMs: 1_000 });
    await put(world, 3, "for ever", { ttlMs: 0 });
    expect(await valuesAt(world, 1)).toEqual(["for ever", "short", "usual"]);
    await world.run(2_000);
    expect(await valuesAt(world, 1)).toEqual(["for ever", "usual"]);
    await world.run(9_000);
    expect(await valuesAt(world, 1)).toEqual(["for ever"]);
    // What is set later is of writes to come.
    await world.admin(2, "bucket-set", { name: "sessions", ttlMs: 1_000 });
    await world.run(5_000);
    expect(await valuesAt(world, 1)).toEqual(["for ever"]);
  });
});

describe("an expired value", () => {
  test("never comes back: by a hint, a comparison, a read repair, or a restart", async () => {
    const world = await worldWith({ ttlMs: 5_000 }, 5);
    world.crash(3);
    world.crash(4);
    await world.run(6_000);
    await put(world, 1, "old", { w: 1 });
    world.crash(1);
    await world.run(6_000);
    for (const id of [1, 3, 4]) await world.restart(id);
    for (let round = 0; round < 10; round++) {
      await world.run(3_000);
      for (const id of world.ids) {
        for (const r of [1, 3]) expect(await valuesAt(world, id, r), `node ${id}`).toEqual([]);
      }
    }
    const page = await world.ask(2, {
      ...{ kind: "scan", partition: partitionOf(world), after: undefined, limit: 10 },
      ...{ bucket: "sessions", prefix: new Uint8Array(), deadlineMs: 2_000 },
    });
    expect(page).toMatchObject({ kind: "page", entries: [] });
  });

  test("is superseded by a write with the context of a read that did not show it", async () => {
    const world = await worldWith({ ttlMs: 1_000 });
    await put(world, 1, "old");
    await world.run(2_000);
    const { values, context } = await foundAt(world, 2);
    expect(values).toEqual([]);
    await put(world, 2, "new", { context, ttlMs: 0 });
    await world.run(15_000);
    for (const id of world.ids) expect(await valuesAt(world, id)).toEqual(["new"]);
    const answer = await world.admin(1, "versions", {
      ...{ bucket: "sessions", key: Buffer.from("key").toString("hex") },
    });
    const { replicas } = answer as { replicas: { versions: { siblings: unknown[] } }[] };
    expect(replicas.map(({ versions }) => versions.siblings.length)).toEqual([1, 1, 1]);
  });

  test("changes no digest: replicas agree all the time, and nothing is sent for it", async () => {
    const world = await worldWith({ ttlMs: 3_000 });
    await put(world, 1, "old");
    await world.run(1_000);
    const roots = async (): Promise<unknown> => {
      const status = (await world.admin(1, "status", {})) as { rootsAgree: boolean };
      return status.rootsAgree;
    };
    expect(await roots()).toBe(true);
    const from = world.notices.length;
    await world.run(10_000);
    expect(await roots()).toBe(true);
    const moved = world.notices.slice(from).filter(({ notice }) => {
      if (notice.kind === "read-repair") return true;
      return notice.kind === "exchanged" && notice.sent + notice.received > 0;
    });
    expect(moved).toEqual([]);
  });

  test("is hidden by the clock of whoever coordinates, so a slow one shows it longer", async () => {
    const world = new World({ seed: 3, nodes: 3 });
    world.clockOf(2).set(-30_000);
    await world.start();
    await world.admin(1, "bucket-create", { name: "sessions", ttlMs: 10_000 });
    await world.run(1_000);
    await put(world, 1, "old");
    await world.run(20_000);
    // Nobody removes by the clock: the slow one still shows it, and that takes it nowhere else.
    expect(await valuesAt(world, 2)).toEqual(["old"]);
    for (const id of [1, 3]) expect(await valuesAt(world, id)).toEqual([]);
    await world.run(30_000);
    for (const id of world.ids) expect(await valuesAt(world, id)).toEqual([]);
  });
});

function partitionOf(world: World): number {
  const { high } = keyIn("sessions");
  return Math.floor(high / (4294967296 / world.ringOf(1).owners.length));
}
