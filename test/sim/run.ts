/**
 * One random run from its seed: a world, clients, trouble of all kinds, and then, with everything
 * mended, what must hold. The same seed is the same run, to the last byte.
 */
import { budgetDefaults } from "../../src/core/budget.ts";
import { seededRandom } from "../../src/core/random.ts";
import { Atlas } from "./atlas.ts";
import { findWrongs, type WriteSeen } from "./checks.ts";
import { converge } from "./convergence.ts";
import { describeRing } from "./inspect.ts";
import { kindsOf, weatherOf } from "./kinds.ts";
import { Operator } from "./operator.ts";
import { EventLimit } from "./timeline.ts";
import { guarded } from "./tripwire.ts";
import { makeTrouble, settle } from "./trouble.ts";
import { SimClient } from "./workload.ts";
import { World } from "./world.ts";

/** All that decides a run. */
export interface RunOptions {
  readonly seed: number;
  /** In one data centre; by default five, or for every third seed three in each of two. */
  readonly nodes?: number | undefined;
  /** Of trouble; mending and agreeing come after it. */
  readonly seconds?: number | undefined;
  readonly clients?: number | undefined;
  /** Kinds of faults that are switched off. */
  readonly without?: readonly string[] | undefined;
  /** The only strikes that are carried out; absent: all. */
  readonly script?: readonly string[] | undefined;
  /** Stops after so many happenings, and shows the last of them. */
  readonly eventsMax?: number | undefined;
}

export interface Outcome {
  readonly world: World;
  readonly history: readonly WriteSeen[];
  readonly clients: readonly SimClient[];
  /** Names of the strikes that did something. */
  readonly struck: readonly string[];
  /** More was destroyed than copies were acknowledged. */
  readonly isBeyond: boolean;
  /** From the mending to the agreement of all replicas. */
  readonly convergedMs: number | undefined;
  /** What was done to the world, and how it ended, for people. */
  readonly story: string;
  /** Everything that should not be; empty when all is well. */
  readonly wrongs: readonly string[];
}

export const secondsUsual = 20;
/** Together, in peace, they ask for about 50 operations a second. */
const clientsUsual = 10;

const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
const pauseMsMax = 250;
/**
 * Coarser than a node's own, as most of what a run at rest costs is ticks; but when they come later
 * than this a node takes itself for busy, and hardly compares.
 */
const tickMs = budgetDefaults.lateMs - 5;
const settleMs = 2_000;
/** Rounds as often as they can be: some of what is deleted is forgotten in the middle of it all. */
const quickRounds = { intervalMs: 2_000, retryMs: 500, restMs: 10_000, looseAgainMs: 300 };
const memtables = [8 << 10, 64 << 10, 256 << 10];
/** What nobody can promise when more copies are destroyed than were acknowledged. */
const loss = /was acknowledged, and is lost$|was superseded, and came back$/;

export async function runSeed(options: RunOptions): Promise<Outcome> {
  const world = worldOf(options);
  world.timeline.happenedMax = options.eventsMax ?? Number.POSITIVE_INFINITY;
  world.trace.keepsLines = options.eventsMax !== undefined;
  await world.prepare();
  return guarded(() => play(world, options));
}

async function play(world: World, options: RunOptions): Promise<Outcome> {
  const { seed, seconds = secondsUsual, without = [], script } = options;
  // A fifth of the runs goes beyond what is promised.
  const operator = new Operator(new Atlas({ isBeyond: seed % 5 === 4 }));
  const { isBeyond } = operator.atlas;
  const history: WriteSeen[] = [];
  const clients: SimClient[] = [];
  const [done, struck, wrongs]: [string[], string[], string[]] = [[], [], []];
  let convergedMs: number | undefined;
  try {
    await world.start();
    world.network.keepsPast = true;
    world.network.weather = weatherOf({ seed, without });
    world.network.farWeather = { ...world.network.weather, delayMsMin: 40, delayMsMax: 120 };
    clients.push(...startClients(world, options, history));
    const kinds = kindsOf({ seed, without }, operator);
    await makeTrouble(world, { seed, ms: seconds * 1_000, kinds, done, struck, script });
    await settle(world, settleMs, (id) => operator.start(world, id));
    if (!(await operator.finish(world))) wrongs.push("the ring does not come to rest");
    else {
      const converged = await converge(world, keys);
      convergedMs = converged.tookMs;
      const isApplied = (operation: string): boolean => world.watch.answers.isApplied(operation);
      const found = findWrongs(history, converged.held, isApplied);
      wrongs.push(...converged.wrongs, ...found.filter((wrong) => !isBeyond || !loss.test(wrong)));
    }
  } catch (error) {
    if (!(error instanceof EventLimit)) wrongs.push(textOf(error));
  }
  wrongs.push(...world.watch.wrongs, ...clients.flatMap((client) => client.wrongs));
  const story = [`SEED=${seed}`, ...done, describeRing(world)].join("\n");
  return { world, history, clients, struck, isBeyond, convergedMs, story, wrongs };
}

function worldOf({ seed, nodes }: RunOptions): World {
  const memtableBytes = memtables[seed % memtables.length] ?? 8 << 10;
  const disk = { diskMsMax: 5, memtableBytes, tickMs };
  const more = { ...disk, ...(seed % 4 < 2 ? { cleanup: quickRounds } : {}) };
  if (nodes !== undefined || seed % 3 !== 0) return new World({ seed, nodes: nodes ?? 5, ...more });
  return new World({ seed, nodes: 6, dcOf: (id) => (id <= 3 ? "west" : "east"), ...more });
}

/** Clients act until the end of the trouble, each as fast as it is answered. */
function startClients(
  world: World,
  { seed, clients = clientsUsual, seconds = secondsUsual }: RunOptions,
  history: WriteSeen[],
): readonly SimClient[] {
  const until = world.timeline.now + seconds * 1_000;
  return Array.from({ length: clients }, (_, i) => {
    const random = seededRandom(seed * 100 + i);
    const name = String.fromCharCode("u".charCodeAt(0) - i);
    const client = new SimClient({ world, random, keys, history, name, deadlineMs: 600 });
    const loop = async (): Promise<void> => {
      while (world.timeline.now < until) {
        await client.act();
        await world.pause(5 + random.below(pauseMsMax));
      }
    };
    void loop();
    return client;
  });
}

/** Said in the code that was run, not in terms of where that lies. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `, caused by ${textOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
