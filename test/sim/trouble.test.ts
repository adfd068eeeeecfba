/** Kinds of faults do not disturb each other: each has its own schedule and chance. */
import { expect, test } from "vitest";
import { Atlas } from "./atlas.ts";
import { kindNames, kindsOf, weatherOf } from "./kinds.ts";
import { rough } from "./network.ts";
import { Operator } from "./operator.ts";
import { makeTrouble, streamOf, strikesOf } from "./trouble.ts";
import { World } from "./world.ts";

const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
const ms = 60_000;

function dueIn(seed: number, without: readonly string[]): string[] {
  const strikes = strikesOf({ seed, ms, kinds: kindsOf({ seed, without }, new Operator()) });
  return strikes.map(({ name, at }) => `${at} ${name}`);
}

test("with one kind switched off all others come when they came before", () => {
  for (const seed of seeds) {
    const before = dueIn(seed, []);
    for (const name of kindNames(new Operator())) {
      const rest = before.filter((strike) => strike.replace(/^\d+ | \d+$/g, "") !== name);
      expect(dueIn(seed, [name]), `seed ${seed} without ${name}`).toEqual(rest);
    }
  }
});

test("what one strike draws does not depend on the others that are carried out", async () => {
  const drawn = async (script?: readonly string[]): Promise<Map<string, number>> => {
    const world = new World({ seed: 1, nodes: 3 });
    await world.start();
    const lots = new Map<string, number>();
    const kinds = ["first", "second"].map((name) => ({
      name,
      everyMs: 300,
      strike: (_world: World, random: ReturnType<typeof streamOf>) => {
        lots.set(`${name} ${[...lots.keys()].filter((one) => one.startsWith(name)).length + 1}`, 0);
        return `${random.below(1e6)}`;
      },
    }));
    const struck: string[] = [];
    const done = await makeTrouble(world, { seed: 5, ms: 3_000, kinds, script, struck });
    return new Map(struck.map((name, i) => [name, Number(done[i]?.split(" ")[2])]));
  };
  const all = await drawn();
  expect(all.size).toBeGreaterThan(6);
  const some = [...all.keys()].filter((_, i) => i % 3 === 0);
  const fewer = await drawn(some);
  expect([...fewer]).toEqual([...all].filter(([name]) => some.includes(name)));
});

test("every kind is met by some of a few seeds, and every exposure can be switched off", () => {
  const names = kindNames(new Operator());
  const met = new Set(
    seeds.flatMap((seed) => kindsOf({ seed, without: [] }, new Operator()).map(({ name }) => name)),
  );
  const exposures = ["latency", "loss", "repeat", "echo"];
  expect([...met, ...exposures].sort()).toEqual([...names].sort());
  expect(met.size).toBeGreaterThanOrEqual(25);
  const calm = weatherOf({ seed: 1, without: exposures });
  expect(calm).toMatchObject({ loss: 0, repeat: 0, echo: 0, delayMsMax: 2 });
});

test("within the promise one disk is destroyed, and beyond it a majority stays", async () => {
  const world = new World({ seed: 2, nodes: 5 });
  await world.start();
  const within = new Atlas({ isBeyond: false });
  expect(within.mayDestroy(world, 1)).toBe(true);
  within.destroyed();
  expect(within.mayDestroy(world, 2)).toBe(false);
  const beyond = new Atlas({ isBeyond: true });
  beyond.destroyed();
  expect(beyond.mayDestroy(world, 2)).toBe(true);
  beyond.damaged.add(1);
  expect(beyond.mayDestroy(world, 2)).toBe(true);
  world.forget(2);
  expect(beyond.mayDestroy(world, 3)).toBe(false);
});

test("every fault that has a shape of its own does what it says", async () => {
  const world = new World({ seed: 3, nodes: 8, diskMsMax: 5 });
  await world.start();
  const operator = new Operator(new Atlas({ isBeyond: true }));
  const said = new Map<string, string>();
  world.network.keepsPast = true;
  world.network.weather = rough;
  for (const kind of allOf(operator)) {
    for (let attempt = 0; attempt < 12 && !said.has(kind.name); attempt++) {
      for (const id of world.startable) await operator.start(world, id);
      // One is always down, and has been up since it was down before.
      world.crash(world.ids[0] ?? 1);
      const what = await kind.strike(world, streamOf(attempt, kind.name));
      if (what !== "") said.set(kind.name, what);
      await world.run(200);
    }
  }
  const missing = allOf(operator).filter(({ name }) => !said.has(name));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

function allOf(operator: Operator) {
  const byName = new Map(
    Array.from({ length: 40 }, (_, seed) => kindsOf({ seed, without: [] }, operator))
      .flat()
      .map((kind) => [kind.name, kind]),
  );
  // Who is to be removed must be gone, and only then there is room for another.
  const first = ["lose", "remove", "join"];
  const orderOf = (name: string): number => (first.includes(name) ? first.indexOf(name) : 9);
  return [...byName.values()].sort((a, b) => orderOf(a.name) - orderOf(b.name));
}
