/** A seed, a world, some clients and some trouble; then what must hold. */
import { describe, expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { seededRandom } from "../../src/core/random.ts";
import { findWrongs, type WriteSeen } from "./checks.ts";
import { heldIn } from "./inspect.ts";
import { calm, rough } from "./network.ts";
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

/** Crashes, restarts and cuts, one after the other. */
async function makeTrouble(world: World, seed: number, ms: number): Promise<void> {
  const random = seededRandom(seed * 77 + 5);
  const end = world.timeline.now + ms;
  const any = (): NodeId => world.ids[random.below(world.ids.length)]!;
  while (world.timeline.now < end) {
    const choice = random.below(4);
    if (choice === 0 && world.live.length > 3) world.crash(any());
    else if (choice === 1) {
      for (const id of world.ids) if (!world.live.includes(id)) await world.restart(id);
    } else if (choice === 2) {
      const side = world.ids.filter(() => random.below(2) === 0);
      world.network.partition(
        side,
        world.ids.filter((id) => !side.includes(id)),
      );
    } else world.network.heal();
    await world.run(500 + random.below(2_500));
  }
}

async function settle(world: World): Promise<void> {
  world.network.heal();
  world.network.weather = calm;
  for (const id of world.ids) if (!world.live.includes(id)) await world.restart(id);
  await world.run(90_000);
}

interface Ran {
  readonly world: World;
  readonly history: readonly WriteSeen[];
  readonly clients: readonly SimClient[];
}

async function runSeed(seed: number): Promise<Ran> {
  const world = new World({ seed, nodes: 5 });
  await world.start();
  world.network.weather = rough;
  const history: WriteSeen[] = [];
  const clients = startClients(world, seed, history, world.timeline.now + 20_000);
  await makeTrouble(world, seed, 20_000);
  await settle(world);
  return { world, history, clients };
}

describe("a cluster of five under loss, reordering, crashes and cuts", () => {
  for (const seed of seeds) {
    test(`seed ${seed}`, async () => {
      const { world, history, clients } = await runSeed(seed);
      const wrongs = findWrongs(history, await heldIn(world, keys));
      expect(wrongs, `SEED=${seed}`).toEqual([]);
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
