/** Disks that are full, that are slow, and that lose their power. */
import { areMostReady, isOn, type Kind, victim } from "./kind.ts";
import { wait } from "./lanes.ts";
import { between } from "./schedule.ts";

/** A node looks whether there is room whenever a log is full. */
const fillingMs = 5_000;
/** Longer than others wait before they bring what they kept. */
const refusingMs = 5_000;
/** At most so long before the power goes, nothing reaches the disk any more. */
const sagMsMax = 1_500;

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

/**
 * The nodes of one rack have no room left and then stand still, so that others keep what is written
 * for them. Of some keys there is nothing then but what others keep; and who should take it over,
 * when the rack goes on, refuses it until there is room again.
 */
export const fullRack: Kind = {
  name: "full-rack",
  everyMs: 20_000,
  needs: ["image", "signals"],
  strike: (scene, random) => {
    const { image, cluster, mending } = scene;
    const leftBytes = between(random, 1 << 18, 1 << 19);
    const stillMs = between(random, 5_000, 7_000);
    const nodes = cluster.nodes.filter((node) => isOn(node, image));
    if (image === undefined || nodes.length === 0 || !areMostReady(scene)) return "";
    for (const node of nodes) node.excuse("disk");
    image.fill(leftBytes);
    const goOn = (): void => {
      for (const node of nodes) node.resume();
      mending.later(refusingMs, () => image.free());
    };
    mending.later(fillingMs, () => {
      for (const node of nodes) node.pause();
      mending.later(stillMs, goOn);
    });
    const who = nodes.map(({ place }) => place).join(" ");
    const soon = `soon they stand still for ${stillMs} ms`;
    return `the disks of ${who} have ${leftBytes} bytes left, and ${soon}`;
  },
};

/** All disks, as when they are one system's, or that of one node. */
export const slowDisk: Kind = {
  name: "slow-disk",
  everyMs: 8_000,
  needs: [],
  strike: (scene, random) => {
    const ms = between(random, 1_000, 6_000);
    const syncMs = between(random, 20, 300);
    const isShared = random.below(2) === 0;
    const one = victim(scene, random);
    const nodes = isShared ? scene.cluster.live : [one].filter((node) => node !== undefined);
    if (nodes.length === 0) return "";
    for (const node of nodes) node.syncs.holdBack(syncMs);
    scene.mending.later(ms, () => {
      for (const node of nodes) node.syncs.letGo();
    });
    const who = nodes.map(({ place }) => place).join(" ");
    return `each sync of ${who} takes ${syncMs} ms longer, for ${ms} ms`;
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
    const sagMs = Math.max(0, between(random, -sagMsMax, sagMsMax));
    const nodes = cluster.nodes.filter((node) => isOn(node, image));
    if (image === undefined || nodes.length === 0 || !areMostReady(scene)) return "";
    // Whoever acknowledges meanwhile what it has not synced, loses it.
    if (sagMs > 0) for (const node of nodes) node.syncs.holdBack(sagMsMax);
    await wait(sagMs);
    // They must not see the disk fail and say so to others: without power nobody says anything.
    for (const node of nodes) node.hold();
    image.cutPower();
    await Promise.all(nodes.map((node) => node.kill()));
    image.mountAgain();
    for (const node of nodes) {
      node.syncs.letGo();
      node.release();
      mending.later(awayMs, () => cluster.start(node));
    }
    const who = nodes.map(({ place }) => place).join(" ");
    const cut = `sag for ${sagMs} ms, lose their power, and are back after ${awayMs} ms`;
    return `the disks of ${who} ${cut}`;
  },
};
