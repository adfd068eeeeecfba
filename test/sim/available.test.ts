/** Whoever is left of a cluster serves, as long as they are as many as the quorums ask for. */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { get, put } from "./story.ts";
import { World } from "./world.ts";

const quorums = [
  { r: 1, w: 1 },
  { r: 2, w: 2 },
  { r: 3, w: 3 },
] as const;

function subsetsOf(ids: readonly NodeId[]): readonly (readonly NodeId[])[] {
  const [first, ...others] = ids;
  if (first === undefined) return [[]];
  return subsetsOf(others).flatMap((rest) => [rest, [first, ...rest]]);
}

test("with every set of four nodes away that leaves a quorum, every node answers all", async () => {
  const world = new World({ seed: 461, nodes: 4, partitions: 8, tickMs: 25 });
  await world.start();
  const keys = Array.from({ length: 8 }, (_, i) => `key ${i}`);
  for (const key of keys) await put(world, 1, key, "first");
  await world.run(5_000);
  for (const away of subsetsOf(world.ids).filter(({ length }) => length < 4)) {
    for (const id of away) world.crash(id, 1);
    await world.run(6_000);
    for (const { r, w } of quorums.filter((each) => each.w <= 4 - away.length)) {
      for (const [i, key] of keys.entries()) {
        const at = world.live[i % world.live.length] ?? 1;
        const where = `${key} at node ${at} without ${away.join(" ")}, w ${w}`;
        // Whoever is left and has nothing says that it cannot be sure.
        const { values, context, degraded } = await get(world, at, key, r);
        expect(values.length > 0 || degraded, where).toBe(true);
        expect(await put(world, at, key, `${where}`, { w, context }), where).toMatchObject({
          kind: "stored",
        });
      }
    }
    for (const id of away) await world.restart(id);
    await world.run(10_000);
  }
  expect(world.watch.wrongs).toEqual([]);
});
