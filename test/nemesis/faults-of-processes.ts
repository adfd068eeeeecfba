/** Processes that end, stand still, or run out of what the system gives them. */
import { readdirSync } from "node:fs";
import { command } from "./commands.ts";
import { areMostReady, type Kind, victim } from "./kind.ts";
import { between } from "./schedule.ts";

const stopMsMax = 30_000;
const openFilesUsual = 4_096;

export const kill: Kind = {
  name: "kill",
  everyMs: 5_000,
  needs: ["signals"],
  strike: async (scene, random) => {
    const node = victim(scene, random);
    const awayMs = between(random, 0, 4_000);
    if (node === undefined) return "";
    await node.kill();
    scene.mending.later(awayMs, () => scene.cluster.start(node));
    return `node ${node.place} is killed, and back after ${awayMs} ms`;
  },
};

/** All at once: only what every acknowledgement stands on is left. */
export const blackout: Kind = {
  name: "blackout",
  everyMs: 22_000,
  needs: ["signals"],
  strike: async (scene, random) => {
    const { cluster, mending } = scene;
    const awayMs = between(random, 0, 500);
    const nodes = cluster.live;
    if (!areMostReady(scene)) return "";
    await Promise.all(nodes.map((node) => node.kill()));
    for (const node of nodes) mending.later(awayMs, () => cluster.start(node));
    return `nodes ${nodes.map(({ place }) => place).join(" ")} are killed at once`;
  },
};

export const stop: Kind = {
  name: "stop",
  everyMs: 14_000,
  needs: ["signals"],
  strike: async (scene, random) => {
    const awayMs = between(random, 0, 3_000);
    const node = victim(scene, random);
    if (node === undefined) return "";
    // Others go on striking meanwhile, also at this one.
    scene.mending.later(0, async () => {
      await node.stop(stopMsMax);
      scene.mending.later(awayMs, () => scene.cluster.start(node));
    });
    return `node ${node.place} is asked to stop, and back after ${awayMs} ms`;
  },
};

/** Longer than any time-out of others, and it knows nothing of it. */
export const pause: Kind = {
  name: "pause",
  everyMs: 8_000,
  needs: ["signals"],
  strike: (scene, random) => {
    const ms = between(random, 200, 6_000);
    const node = victim(scene, random);
    if (node === undefined) return "";
    node.pause();
    scene.mending.later(ms, () => node.resume());
    return `node ${node.place} stands still for ${ms} ms`;
  },
};

export const descriptors: Kind = {
  name: "descriptors",
  everyMs: 12_000,
  needs: ["descriptors"],
  strike: (scene, random) => {
    const ms = between(random, 1_000, 4_000);
    const spare = random.below(4);
    const node = victim(scene, random);
    const pid = node?.pid;
    if (node === undefined || pid === undefined || !node.isReady) return "";
    const highest = Math.max(...readdirSync(`/proc/${pid}/fd`).map(Number));
    node.excuse("descriptors");
    limitOpenFiles(pid, highest + 1 + spare);
    scene.mending.later(ms, () => {
      // It may have ended since, and its number may be another's only after a long time.
      if (node.pid === pid) limitOpenFiles(pid, openFilesUsual);
      scene.mending.later(3_000, () => node.forgive("descriptors"));
    });
    return `node ${node.place} may open ${spare} files more, for ${ms} ms`;
  },
};

/** The soft limit alone, which may be raised again. */
function limitOpenFiles(pid: number, count: number): void {
  command("prlimit", "--pid", String(pid), `--nofile=${count}:`);
}
