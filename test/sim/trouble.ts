/**
 * Faults for a world, each kind on a schedule and a stream of chance of its own: with one kind
 * switched off the others come at the same times as before. What is broken is mended by the same
 * kind a little later, and by `settle` at the end.
 */
import type { NodeId } from "../../src/core/ids.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { calm } from "./network.ts";
import type { World } from "./world.ts";

/** Does one thing, and says what. Empty: nothing could be done now. */
export type Fault = (world: World, random: Random) => Promise<string> | string;

export interface Kind {
  readonly name: string;
  /** From one to the next it takes up to twice so long. */
  readonly everyMs: number;
  readonly strike: Fault;
}

export interface Trouble {
  readonly seed: number;
  readonly ms: number;
  readonly kinds: readonly Kind[];
  /** Where it is written down what was done, and when. */
  readonly done?: string[];
}

interface Due {
  readonly kind: Kind;
  readonly random: Random;
  at: number;
}

/** Runs the world with faults for so long. Gives what was done, and when. */
export async function makeTrouble(
  world: World,
  { seed, ms, kinds, done = [] }: Trouble,
): Promise<string[]> {
  const start = world.timeline.now;
  const end = start + ms;
  const due = kinds.map((kind): Due => {
    const random = seededRandom(seed * 1_000 + hashOf(kind.name));
    return { kind, random, at: start + random.below(2 * kind.everyMs) };
  });
  for (;;) {
    const next = due.reduce((first, each) => (each.at < first.at ? each : first));
    if (next.at >= end) break;
    await world.timeline.runUntil(Math.max(world.timeline.now, next.at));
    const what = await next.kind.strike(world, next.random);
    if (what !== "") done.push(`${Math.round(world.timeline.now - start)} ms: ${what}`);
    next.at += 1 + next.random.below(2 * next.kind.everyMs);
  }
  await world.timeline.runUntil(Math.max(world.timeline.now, end));
  return done;
}

/** Mends everything, and gives replicas the time to agree. */
export async function settle(world: World, ms = 90_000): Promise<void> {
  world.network.heal();
  world.network.weather = calm;
  world.network.farWeather = undefined;
  for (const id of world.ids) {
    world.thaw(id);
    world.setCapacity(id, Number.POSITIVE_INFINITY);
  }
  // Who has met a full disk may still be about to die of it.
  await world.run(1_000);
  for (const id of world.startable) await world.restart(id);
  await world.run(ms);
}

function pick<T>(from: readonly T[], random: Random): T | undefined {
  // Drawn from also when there is nothing to choose: the stream goes on as it would have.
  const at = random.below(1 << 20);
  return from.length === 0 ? undefined : from[at % from.length];
}

/** Power cuts, and starts of what was cut, with another clock now and then. */
export function crashes(liveMin: number): Kind {
  return {
    name: "crash",
    everyMs: 2_000,
    strike: async (world, random) => {
      const isStart = random.below(2) === 0;
      const aheadMs = random.below(4) === 0 ? random.below(40_000) - 20_000 : 0;
      const [down, live] = [pick(world.startable, random), pick(world.live, random)];
      if (isStart && down !== undefined) {
        world.setClock(down, aheadMs);
        await world.restart(down);
        return `node ${down} starts, its clock ${aheadMs} ms ahead`;
      }
      if (isStart || live === undefined || world.live.length <= liveMin) return "";
      world.crash(live);
      return `node ${live} loses its power`;
    },
  };
}

/** The power of the whole house fails: only what every acknowledgement stands on is left. */
export const blackouts: Kind = {
  name: "blackout",
  everyMs: 5_000,
  strike: async (world) => {
    for (const id of world.live) world.crash(id, 0);
    await world.run(100);
    for (const id of world.startable) await world.restart(id);
    return "everybody loses power at once";
  },
};

/** Disks that take nothing more: their nodes refuse, and die of it. */
export function fullDisks(liveMin: number): Kind {
  return {
    name: "disk",
    everyMs: 6_000,
    strike: (world, random) => {
      const node = pick(world.live, random);
      if (node === undefined || world.live.length <= liveMin) return "";
      world.setCapacity(node, 1);
      return `the disk of node ${node} is full`;
    },
  };
}

/** Two sides that do not hear each other, or only one of them the other. */
export const cuts: Kind = {
  name: "cut",
  everyMs: 2_500,
  strike: (world, random) => {
    const shape = random.below(4);
    const sideOf = new Map<NodeId, number>(world.ids.map((id) => [id, random.below(2)]));
    const [left, right] = [0, 1].map((side) => world.ids.filter((id) => sideOf.get(id) === side));
    world.network.heal();
    if (shape === 0 || left === undefined || right === undefined) return "the network is whole";
    if (shape === 1) {
      for (const from of left) for (const to of right) world.network.cut(from, to);
      return `${left.join(" ")} are not heard by ${right.join(" ")}`;
    }
    world.network.partition(left, right);
    return `${left.join(" ")} and ${right.join(" ")} are apart`;
  },
};

/** A process that stands still for longer than any time-out, and knows nothing of it. */
export const freezes: Kind = {
  name: "freeze",
  everyMs: 5_000,
  strike: (world, random) => {
    const node = pick(world.live, random);
    for (const id of world.ids) world.thaw(id);
    if (node === undefined || random.below(2) === 0) return "";
    world.freeze(node);
    return `node ${node} stands still`;
  },
};

function hashOf(name: string): number {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 0);
}
