/** What a process sent that is no more may come late: it must not be done then. */
import { expect, test } from "vitest";
import { keyNamed, QuorumWorld } from "../support/quorum-world.ts";

test("a write that an earlier process of the sender passed on is not coordinated", () => {
  const world = new QuorumWorld({ nodes: 5, n: 3, r: 2, w: 2, owners: [1, 2, 3] });
  const command = world.put(keyNamed("cart"), "milk");
  world.forwarded(1, command, world.started - 1);
  world.settle();
  expect(world.log).toEqual([]);
  world.forwarded(1, command);
  world.settle();
  expect(world.log).toContain("n1 > n5 forwarded: stored");
});
