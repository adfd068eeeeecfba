/** Faults of the network: cuts of every shape, storms, slow receivers, frames of the past. */
import type { NodeId } from "../../../src/core/ids.ts";
import type { Random } from "../../../src/core/random.ts";
import { rough } from "../network.ts";
import { type Kind, pick } from "../trouble.ts";
import type { World } from "../world.ts";

const flapMsMin = 50;
const flapMsMax = 500;

/** Two sides that do not hear each other, or only one of them the other. */
export const cuts: Kind = {
  name: "cut",
  everyMs: 2_500,
  strike: (world, random) => {
    const shape = random.below(4);
    const sideOf = new Map<NodeId, number>(world.ids.map((id) => [id, random.below(2)]));
    const [left, right] = [0, 1].map((side) => world.ids.filter((id) => sideOf.get(id) === side));
    world.network.heal("");
    if (shape === 0 || left === undefined || right === undefined) return "the network is whole";
    if (shape === 1) {
      for (const from of left) for (const to of right) world.network.cut(from, to);
      return `${left.join(" ")} are not heard by ${right.join(" ")}`;
    }
    world.network.partition(left, right);
    return `${left.join(" ")} and ${right.join(" ")} are apart`;
  },
};

/** Two sides that do not hear each other, and one between them that hears and is heard by both. */
export const bridges: Kind = {
  name: "bridge",
  everyMs: 7_000,
  strike: (world, random) => {
    const bridge = pick(world.ids, random);
    const others = world.ids.filter((id) => id !== bridge);
    const left = others.filter(() => random.below(2) === 0);
    const isWhole = random.below(2) === 0;
    world.network.heal("bridge");
    if (bridge === undefined || isWhole) return "";
    const right = others.filter((id) => !left.includes(id));
    for (const one of left) {
      for (const other of right) {
        world.network.cut(one, other, "bridge");
        world.network.cut(other, one, "bridge");
      }
    }
    return `${left.join(" ")} and ${right.join(" ")} are apart, and ${bridge} hears both`;
  },
};

/** One way between two nodes that comes and goes. */
export const flaps: Kind = {
  name: "flap",
  everyMs: 4_000,
  strike: (world, random) => {
    const [from, to] = [pick(world.ids, random), pick(world.ids, random)];
    const times = 5 + random.below(16);
    if (from === undefined || to === undefined || from === to) return "";
    const by = `flap ${from} ${to}`;
    let afterMs = 0;
    for (let turn = 0; turn < times; turn++) {
      world.timeline.after(afterMs, () => {
        if (turn % 2 === 0 && turn < times - 1) world.network.cut(from, to, by);
        else world.network.heal(by);
      });
      afterMs += flapMsMin + random.below(flapMsMax - flapMsMin);
    }
    return `the way from ${from} to ${to} comes and goes ${times} times`;
  },
};

/** Some nodes lose their ways one by one, and get them back in another order. */
export const swizzles: Kind = {
  name: "swizzle",
  everyMs: 12_000,
  strike: (world, random) => {
    const chosen = world.ids.filter(() => random.below(2) === 0);
    for (const id of chosen) {
      const [fromMs, toMs] = [random.below(2_000), 2_000 + random.below(3_000)];
      const by = `swizzle ${id}`;
      world.timeline.after(fromMs, () => isolate(world, id, by));
      world.timeline.after(toMs, () => world.network.heal(by));
    }
    return chosen.length === 0 ? "" : `${chosen.join(" ")} are cut off one after the other`;
  },
};

function isolate(world: World, id: NodeId, by: string): void {
  for (const other of world.ids) {
    world.network.cut(id, other, by);
    world.network.cut(other, id, by);
  }
}

/** For some seconds hardly anything comes through, and what does is late, twice and in disorder. */
export const storms: Kind = {
  name: "storm",
  everyMs: 8_000,
  strike: (world, random) => {
    const before = world.network.weather;
    const weather = {
      delayMsMin: 1,
      delayMsMax: 100 + random.below(3_000),
      loss: random.below(30) / 100,
      repeat: random.below(50) / 100,
      echo: random.below(5) / 100,
    };
    const ms = 500 + random.below(3_000);
    if (before !== rough) return "";
    world.network.weather = weather;
    world.timeline.after(ms, () => {
      if (world.network.weather === weather) world.network.weather = before;
    });
    return `a storm of ${ms} ms: ${JSON.stringify(weather)}`;
  },
};

/** A node that takes in little of what comes. */
export const slowReceivers: Kind = {
  name: "slow-receiver",
  everyMs: 6_000,
  strike: (world, random) => {
    const [node, isSlow] = [pick(world.live, random), random.below(2) === 0];
    const bytesPerMs = 1 + random.below(64);
    for (const id of world.ids) world.network.slow(id);
    if (node === undefined || !isSlow) return "";
    world.network.slow(node, bytesPerMs);
    return `node ${node} takes in ${bytesPerMs} bytes a millisecond`;
  },
};

/** What a node sent before it lost its power comes once more. */
export const replays: Kind = {
  name: "replay",
  everyMs: 4_000,
  strike: (world: World, random: Random) => {
    const node = pick(world.ids, random);
    if (node === undefined) return "";
    const frames = world.network.replay(node, random);
    return frames === 0 ? "" : `${frames} frames of earlier lives of node ${node} come again`;
  },
};
