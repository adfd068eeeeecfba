/**
 * Clean-up rounds among faults: nodes lose power, are cut off, stand still, come back with an old
 * copy of their disk; the ring changes. Rounds come as often as they can, so that most of what is
 * deleted is forgotten while something is going wrong.
 */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { findWrongs, type WriteSeen } from "./checks.ts";
import { cuts } from "./faults/network.ts";
import { crashes, freezes } from "./faults/process.ts";
import type { Image } from "./host.ts";
import { heldIn } from "./inspect.ts";
import { rough } from "./network.ts";
import { Operator } from "./operator.ts";
import { roundsAt } from "./rounds.ts";
import { type Kind, makeTrouble, settle } from "./trouble.ts";
import { Upheaval } from "./upheaval.ts";
import { SimClient } from "./workload.ts";
import { World } from "./world.ts";

const first = Number(process.env["SEED"] ?? 1);
const seeds = Array.from({ length: Number(process.env["SEEDS"] ?? 3) }, (_, i) => first + i);
const keys = Array.from({ length: 12 }, (_, i) => `key ${i}`);
const troubleMs = 90_000;
/** Longer than a client asks again for: its operations are forgotten after that. */
const cleanup = { intervalMs: 1_000, retryMs: 500, restMs: 3_000, looseAgainMs: 300 };

/** One node a run comes back with a disk that is some seconds older than it was. */
function oldDisk(operator: Operator): Kind {
  let image: Image | undefined;
  let node: NodeId | undefined;
  let isDone = false;
  return {
    name: "old disk",
    everyMs: 12_000,
    strike: async (world: World, random: Random) => {
      const live = world.live;
      const chosen = live[random.below(1 << 20) % live.length];
      if (image === undefined) {
        node = chosen;
        if (node !== undefined) image = world.imageOf(node);
        return "";
      }
      const isWhole = world.startable.length === 0 && world.isFilled;
      if (isDone || node === undefined || !isWhole || !live.includes(node)) return "";
      if (!operator.atlas.mayDestroy(world, node)) return "";
      operator.atlas.destroyed();
      isDone = true;
      world.crash(node);
      world.restore(node, image);
      await world.restart(node);
      return `node ${node} comes back with an old disk`;
    },
  };
}

function startClients(world: World, seed: number, history: WriteSeen[]): SimClient[] {
  const until = world.timeline.now + troubleMs;
  return ["x", "y", "z"].map((name, i) => {
    const random = seededRandom(seed * 100 + i);
    const client = new SimClient({ world, random, keys, history, name, deadlineMs: 300 });
    const loop = async (): Promise<void> => {
      while (world.timeline.now < until) {
        await client.act();
        await world.pause(50 + random.below(400));
      }
    };
    void loop();
    return client;
  });
}

/** The ring is at rest most of the time: while a partition moves there is no round. */
function rare(kind: Kind): Kind {
  return { ...kind, everyMs: 4 * kind.everyMs };
}

/** Faults that pass: in between everybody is there, and a round can come to its end. */
function brief(kind: Kind): Kind {
  return {
    name: `brief ${kind.name}`,
    everyMs: 9_000,
    strike: async (world, random) => {
      const what = await kind.strike(world, random);
      await world.run(100 + random.below(2_500));
      world.network.heal();
      for (const id of world.ids) world.thaw(id);
      for (const id of world.startable) await world.restart(id);
      return what;
    },
  };
}

for (const seed of seeds) {
  test(`seed ${seed}: what is forgotten stays away, and what is not stays`, async () => {
    const world = new World({ seed, nodes: 5, partitions: 4, cleanup });
    await world.start();
    world.network.weather = rough;
    const history: WriteSeen[] = [];
    const clients = startClients(world, seed, history);
    const operator = new Operator();
    const upheaval = new Upheaval(operator);
    const changes = seed % 2 === 0 ? upheaval.kinds.map(rare) : [];
    const kinds = [...[crashes(operator, 4), cuts, freezes].map(brief), ...changes];
    const done = await makeTrouble(world, {
      seed,
      ms: troubleMs,
      kinds: [...kinds, oldDisk(operator)],
    });
    await settle(world, 10_000);
    const isAtRest = await operator.finish(world);
    const rounds = world.notices.filter(({ notice }) => notice.kind === "cleaned").length;
    const why = `SEED=${seed} after ${rounds} rounds\n${done.join("\n")}`;
    expect(isAtRest, why).toBe(true);
    await world.run(90_000);
    const wrongs = [...world.watch.wrongs, ...clients.flatMap((client) => client.wrongs)];
    expect([...wrongs, ...findWrongs(history, await heldIn(world, keys))], why).toEqual([]);
    expect(rounds, why).toBeGreaterThan(2);
    for (const id of world.live) {
      const tombstones = (await roundsAt(world, id)).map((state) => state.tombstones);
      expect(tombstones, `node ${id}, ${why}`).toEqual(tombstones.map(() => 0));
    }
  });
}
