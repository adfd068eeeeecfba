/** Stories of too much: limits hold for clients, and never for what replicas owe each other. */
import { expect, test } from "vitest";
import { siblingsMax } from "../../src/core/limits.ts";
import { agreedOn, get, put } from "./story.ts";
import { World } from "./world.ts";

test("what two sides made apart is more than any client may make, and still meets", async () => {
  const world = new World({ seed: 421, nodes: 5 });
  await world.start();
  world.network.partition([1, 2], [3, 4, 5]);
  await world.run(8_000);
  const each = siblingsMax - 10;
  for (let i = 0; i < each; i++) {
    expect(await put(world, 1, "a", `left ${i}`)).toMatchObject({ kind: "stored" });
    expect(await put(world, 4, "a", `right ${i}`)).toMatchObject({ kind: "stored" });
  }
  world.network.heal();
  await world.run(60_000);
  expect((await agreedOn(world, ["a"]))["a"]).toHaveLength(2 * each);
  const { values, context } = await get(world, 2, "a");
  expect(values).toHaveLength(2 * each);
  // One more is refused, and one that has seen them all takes their place.
  const refused = await put(world, 5, "a", "blind");
  expect(refused).toMatchObject({ kind: "failed", code: "TOO_MANY_SIBLINGS", applied: "no" });
  expect(await put(world, 5, "a", "resolved", { context })).toMatchObject({ kind: "stored" });
  await world.run(20_000);
  expect(await agreedOn(world, ["a"])).toEqual({ a: ["resolved"] });
});

test("ten thousand blind puts leave a bounded key that all agree on", async () => {
  const world = new World({ seed: 422, nodes: 3 });
  await world.start();
  const codes = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const result = await put(world, 1 + (i % 3), "a", `${i}`);
    const said = result?.kind === "failed" ? result.code : String(result?.kind);
    codes.set(said, (codes.get(said) ?? 0) + 1);
  }
  expect([...codes.keys()].sort()).toEqual(["TOO_MANY_SIBLINGS", "stored"]);
  expect(codes.get("stored")).toBeLessThanOrEqual(siblingsMax + 2);
  await world.run(20_000);
  expect((await agreedOn(world, ["a"]))["a"]).toHaveLength(codes.get("stored") ?? 0);
  // Nobody else was harmed.
  expect(await put(world, 2, "b", "fine")).toMatchObject({ kind: "stored" });
});
