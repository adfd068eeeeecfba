/** A seed, a world, some clients and some trouble; then what must hold. */
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/core/random.ts";
import { findWrongs, type WriteSeen } from "./checks.ts";
import { heldIn } from "./inspect.ts";
import { rough } from "./network.ts";
import { crashes, cuts, freezes, makeTrouble, settle } from "./trouble.ts";
import { Upheaval } from "./upheaval.ts";
import { SimClient } from "./workload.ts";
import { World } from "./world.ts";

const first = Number(process.env["SEED"] ?? 1);
const seeds = Array.from({ length: Number(process.env["SEEDS"] ?? 4) }, (_, i) => first + i);
const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];

/** Clients act until the end of the trouble, each as fast as it is answered. */
function startClients(
  world: World,
  seed: number,
  history: WriteSeen[],
  until: number,
): SimClient[] {
  return ["x", "y", "z"].map((name, i) => {
    const random = seededRandom(seed * 100 + i);
    const client = new SimClient({ world, random, keys, history, name, deadlineMs: 1_500 });
    const loop = async (): Promise<void> => {
      while (world.timeline.now < until) {
        await client.act();
        await world.pause(5 + random.below(40));
      }
    };
    void loop();
    return client;
  });
}

interface Ran {
  readonly world: World;
  readonly history: readonly WriteSeen[];
  readonly clients: readonly SimClient[];
  readonly done: readonly string[];
}

/** Every third in two data centres of three. */
function worldOf(seed: number): World {
  if (seed % 3 !== 0) return new World({ seed, nodes: 5 });
  return new World({ seed, nodes: 6, dcOf: (id) => (id <= 3 ? "west" : "east") });
}

async function runSeed(seed: number, withChanges = seed % 2 === 0): Promise<Ran> {
  const world = worldOf(seed);
  await world.start();
  world.network.weather = rough;
  world.network.farWeather = { ...rough, delayMsMin: 40, delayMsMax: 120 };
  const history: WriteSeen[] = [];
  const clients = startClients(world, seed, history, world.timeline.now + 20_000);
  const upheaval = new Upheaval();
  const kinds = [crashes(3), cuts, freezes, ...(withChanges ? upheaval.kinds : [])];
  const done = await makeTrouble(world, { seed, ms: 20_000, kinds });
  await settle(world, 10_000);
  const isAtRest = await upheaval.finish(world);
  const story = `SEED=${seed}\n${done.join("\n")}\n${world.describe()}`;
  expect(isAtRest, story).toBe(true);
  await world.run(80_000);
  return { world, history, clients, done };
}

describe("a cluster under loss, reordering, crashes, cuts and standstill", () => {
  for (const seed of seeds) {
    test(`seed ${seed}`, async () => {
      const { world, history, clients, done } = await runSeed(seed);
      const why = `SEED=${seed}\n${done.join("\n")}`;
      const seen = clients.flatMap(({ wrongs }) => wrongs);
      const wrongs = [...world.watch.wrongs, ...seen];
      expect([...wrongs, ...findWrongs(history, await heldIn(world, keys))], why).toEqual([]);
      expect(history.filter(({ outcome }) => outcome === "acked").length).toBeGreaterThan(20);
      expect(clients.every(({ answered }) => answered > 10)).toBe(true);
    });
  }

  test("the same seed gives the same run, to the last byte sent", async () => {
    const [one, other] = [await runSeed(first), await runSeed(first)];
    expect(other.history).toEqual(one.history);
    const countsOf = ({ world }: Ran) => [world.network.sent, world.network.bytes];
    expect(countsOf(other)).toEqual(countsOf(one));
    expect(other.world.notices).toEqual(one.world.notices);
  });
});
