/** Disks that are full, and disks that lose their power. */
import { areMostReady, isOn, type Kind } from "./kind.ts";
import { between } from "./schedule.ts";

export const fullDisk: Kind = {
  name: "full-disk",
  everyMs: 14_000,
  needs: ["memory-disk"],
  strike: ({ memory, cluster, mending }, random) => {
    const ms = between(random, 1_000, 6_000);
    const leftBytes = random.below(1 << 18);
    const nodes = cluster.nodes.filter((node) => isOn(node, memory));
    if (memory === undefined || nodes.length === 0) return "";
    for (const node of nodes) node.excuse("disk");
    memory.fill(leftBytes);
    // For the rest of the run: a start that met the full disk may end long after it was freed.
    mending.later(ms, () => memory.free());
    const who = nodes.map(({ place }) => place).join(" ");
    return `the disk of ${who} has ${leftBytes} bytes left, for ${ms} ms`;
  },
};

/** The nodes of one rack, whose disks lose what was not synced. */
export const powerCut: Kind = {
  name: "power-cut",
  everyMs: 18_000,
  needs: ["image"],
  strike: async (scene, random) => {
    const { image, cluster, mending } = scene;
    const awayMs = between(random, 0, 2_000);
    const nodes = cluster.nodes.filter((node) => isOn(node, image));
    if (image === undefined || nodes.length === 0 || !areMostReady(scene)) return "";
    // They must not see the disk fail and say so to others: without power nobody says anything.
    for (const node of nodes) node.hold();
    image.cutPower();
    await Promise.all(nodes.map((node) => node.kill()));
    image.mountAgain();
    for (const node of nodes) {
      node.release();
      mending.later(awayMs, () => cluster.start(node));
    }
    const who = nodes.map(({ place }) => place).join(" ");
    return `the disks of ${who} lose their power, and are back after ${awayMs} ms`;
  },
};
