/** Faults of processes: they lose their power, stand still, and their clocks are wrong. */
import type { Operator } from "../operator.ts";
import { type Kind, pick } from "../trouble.ts";

/** How much of what was not synced a power cut leaves: nothing, some sectors, nearly all, all. */
const survivals = [0, 0.5, 0.9, 1] as const;
const aheadMsMax = 20_000;
const leapMsMax = 600_000;
const driftMax = 500;

/** Power cuts, and starts of what was cut, with another clock now and then. */
export function crashes(operator: Operator, liveMin: number): Kind {
  return {
    name: "crash",
    everyMs: 2_000,
    strike: async (world, random) => {
      const isStart = random.below(2) === 0;
      const [down, live] = [pick(world.startable, random), pick(world.live, random)];
      const survival = survivals[random.below(survivals.length)] ?? 0;
      if (isStart && down !== undefined) return operator.start(world, down);
      if (isStart || live === undefined || world.live.length <= liveMin) return "";
      world.crash(live, survival);
      return `node ${live} loses its power, ${survival} of what was not synced survives`;
    },
  };
}

/** The power of the whole house fails: only what every acknowledgement stands on is left. */
export function blackouts(operator: Operator): Kind {
  return {
    name: "blackout",
    everyMs: 5_000,
    strike: async (world) => {
      for (const id of world.live) world.crash(id, 0);
      await world.run(100);
      for (const id of world.startable) await operator.start(world, id);
      return "everybody loses power at once";
    },
  };
}

/** A process that stands still for longer than any time-out, and knows nothing of it. */
export const freezes: Kind = {
  name: "freeze",
  everyMs: 5_000,
  strike: (world, random) => {
    const [node, stands] = [pick(world.live, random), random.below(2) === 0];
    for (const id of world.ids) world.thaw(id);
    if (node === undefined || !stands) return "";
    world.freeze(node);
    return `node ${node} stands still`;
  },
};

/** Clocks that are wrong at a start: whoever is down comes back with it. */
export const clockOffsets: Kind = {
  name: "clock-offset",
  everyMs: 6_000,
  strike: (world, random) => {
    const node = pick(world.startable, random);
    const aheadMs = random.below(2 * aheadMsMax) - aheadMsMax;
    if (node === undefined) return "";
    world.clockOf(node).set(aheadMs);
    return `node ${node}, which is down, has a clock that is ${aheadMs} ms ahead`;
  },
};

/** Clocks that are set while a process runs, forth and back. */
export const clockLeaps: Kind = {
  name: "clock-leap",
  everyMs: 8_000,
  strike: (world, random) => {
    const node = pick(world.live, random);
    const byMs = random.below(2 * leapMsMax) - leapMsMax;
    if (node === undefined) return "";
    world.clockOf(node).leap(byMs);
    return `the clock of node ${node} leaps by ${byMs} ms`;
  },
};

export const clockDrifts: Kind = {
  name: "clock-drift",
  everyMs: 6_000,
  strike: (world, random) => {
    const node = pick(world.live, random);
    const partsPerMillion = random.below(2 * driftMax) - driftMax;
    if (node === undefined) return "";
    world.clockOf(node).drift(partsPerMillion);
    return `the clock of node ${node} runs ${partsPerMillion} millionths too fast`;
  },
};
