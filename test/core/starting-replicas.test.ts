/** Replicas that have only just started: they say nothing yet, and reads ask them again. */
import { expect, test } from "vitest";
import { keyNamed, QuorumWorld, type WorldOptions } from "../support/quorum-world.ts";

const cart = keyNamed("cart");
const three: WorldOptions = { nodes: 3, n: 3, r: 2, w: 2, owners: [1, 2, 3] };

test.each(["get", "scan"] as const)("a %s waits for replicas that are starting", (kind) => {
  const world = new QuorumWorld(three);
  world.request(1, world.put(cart, "milk", { w: 3 }));
  for (const id of [1, 2, 3]) world.node(id).isStarting = true;
  const page = {
    partition: 0,
    after: undefined,
    limit: 10,
    bucket: "",
    prefix: new Uint8Array(0),
  };
  const command = kind === "get" ? world.get(cart) : { kind, ...page, deadlineMs: 5_000 };
  world.request(1, command);
  world.wait(300);
  expect(world.results).toHaveLength(1);
  for (const id of [1, 2]) world.node(id).isStarting = false;
  world.wait(300);
  expect(world.results[1]).toMatchObject({ kind: kind === "get" ? "found" : "page" });
  expect(world.node(1).missed).toEqual([]);
});

test.each(["get", "scan"] as const)("a %s names those that started too slowly", (kind) => {
  const world = new QuorumWorld(three);
  for (const id of [1, 2, 3]) world.node(id).isStarting = true;
  const page = {
    partition: 0,
    after: undefined,
    limit: 10,
    bucket: "",
    prefix: new Uint8Array(0),
  };
  const more = { deadlineMs: 500 };
  const command = kind === "get" ? world.get(cart, more) : { kind, ...page, ...more };
  world.request(1, command);
  world.wait(1_000);
  expect(world.results).toMatchObject([{ kind: "failed", code: "READ_TIMEOUT" }]);
});
