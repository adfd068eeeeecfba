/**
 * One random run from its seed: a world, clients, trouble of all kinds, and then, with everything
 * mended, what must hold. The same seed is the same run, to the last byte.
 */
import { seededRandom } from "../../src/core/random.ts";
import { findWrongs, type WriteSeen } from "./checks.ts";
import { describeRing, heldIn } from "./inspect.ts";
import { rough } from "./network.ts";
import { EventLimit } from "./timeline.ts";
import { blackouts, crashes, cuts, freezes, fullDisks, makeTrouble, settle } from "./trouble.ts";
import { Upheaval } from "./upheaval.ts";
import { SimClient } from "./workload.ts";
import { World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  /** In one data centre; by default five, or for every third seed three in each of two. */
  readonly nodes?: number | undefined;
  /** Of trouble; mending takes about 100 more. */
  readonly seconds?: number;
  /** Stops after so many happenings, and shows the last of them. */
  readonly eventsMax?: number | undefined;
}

export interface Outcome {
  readonly world: World;
  readonly history: readonly WriteSeen[];
  readonly clients: readonly SimClient[];
  /** What was done to the world, and how it ended, for people. */
  readonly story: string;
  /** Everything that should not be; empty when all is well. */
  readonly wrongs: readonly string[];
}

const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
/** Rounds as often as they can be: some of what is deleted is forgotten in the middle of it all. */
const quickRounds = { intervalMs: 2_000, retryMs: 500, restMs: 10_000, looseAgainMs: 300 };

export async function runSeed(options: RunOptions): Promise<Outcome> {
  const { seed, seconds = 20, eventsMax } = options;
  const world = worldOf(options);
  world.timeline.happenedMax = eventsMax ?? Number.POSITIVE_INFINITY;
  world.trace.keepsLines = eventsMax !== undefined;
  const history: WriteSeen[] = [];
  const clients: SimClient[] = [];
  const done: string[] = [];
  const wrongs: string[] = [];
  try {
    await world.start();
    world.network.weather = rough;
    world.network.farWeather = { ...rough, delayMsMin: 40, delayMsMax: 120 };
    clients.push(...startClients(world, seed, history, seconds * 1_000));
    const upheaval = new Upheaval();
    const changes = seed % 2 === 0 ? upheaval.kinds : [];
    const kinds = [crashes(3), blackouts, fullDisks(4), cuts, freezes, ...changes];
    await makeTrouble(world, { seed, ms: seconds * 1_000, kinds, done });
    await settle(world, 10_000);
    if (!(await upheaval.finish(world))) wrongs.push("the ring does not come to rest");
    else {
      await world.run(80_000);
      wrongs.push(...findWrongs(history, await heldIn(world, keys)));
    }
  } catch (error) {
    if (!(error instanceof EventLimit)) throw error;
  }
  wrongs.push(...world.watch.wrongs, ...clients.flatMap((client) => client.wrongs));
  const story = [`SEED=${seed}`, ...done, describeRing(world)].join("\n");
  return { world, history, clients, story, wrongs };
}

function worldOf({ seed, nodes }: RunOptions): World {
  const more = { diskMsMax: 5, ...(seed % 4 < 2 ? { cleanup: quickRounds } : {}) };
  if (nodes !== undefined || seed % 3 !== 0) return new World({ seed, nodes: nodes ?? 5, ...more });
  return new World({ seed, nodes: 6, dcOf: (id) => (id <= 3 ? "west" : "east"), ...more });
}

/** Clients act until the end of the trouble, each as fast as it is answered. */
function startClients(
  world: World,
  seed: number,
  history: WriteSeen[],
  ms: number,
): readonly SimClient[] {
  const until = world.timeline.now + ms;
  return ["u", "v", "w", "x", "y", "z"].map((name, i) => {
    const random = seededRandom(seed * 100 + i);
    const client = new SimClient({ world, random, keys, history, name, deadlineMs: 600 });
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
