/** Nodes that come, go, and come back with an empty disk, while everything else goes on. */
import type { Status } from "../../src/index.ts";
import { type Kind, type Scene, victim } from "./kind.ts";
import { pick } from "./schedule.ts";

const extraMax = 2;

export const join: Kind = {
  name: "join",
  everyMs: 10_000,
  needs: [],
  strike: async (scene) => {
    const { cluster, size } = scene;
    if (cluster.present.length >= size + extraMax || !(await isAtRest(scene))) return "";
    const node = await cluster.add();
    node.excuse("joining");
    cluster.start(node);
    return `node ${node.place} joins`;
  },
};

export const leave: Kind = {
  name: "leave",
  everyMs: 12_000,
  needs: [],
  strike: async (scene, random) => {
    const { cluster, client, size } = scene;
    const node = pick(cluster.live, random);
    if (node === undefined || cluster.present.length <= size) return "";
    if (!(await isAtRest(scene))) return "";
    node.excuse("leaving");
    try {
      await client.admin("leave", { node: cluster.addressOf(node.place) }, { timeoutMs: 3_000 });
    } catch (error) {
      // It may be agreed all the same, or be agreed later.
      return `node ${node.place} is asked to leave: ${(error as { code?: string }).code}`;
    }
    return `node ${node.place} leaves`;
  },
};

/** Once a run: so no acknowledged write loses more than one of its copies for good. */
export const wipe: Kind = {
  name: "wipe",
  everyMs: 20_000,
  needs: ["signals"],
  strike: async (scene, random) => {
    const { cluster } = scene;
    const node = victim(scene, random);
    const isFirst = cluster.nodes.every(({ wasWiped }) => !wasWiped);
    if (node?.id === undefined || !isFirst || !(await isAtRest(scene))) return "";
    await node.kill();
    cluster.wipe(node);
    node.wasWiped = true;
    node.excuse("joining");
    cluster.start(node);
    return `node ${node.place} is back with an empty disk`;
  },
};

/** One change of membership at a time; the others wait for it anyway. */
async function isAtRest({ client, cluster }: Scene): Promise<boolean> {
  try {
    const status = (await client.admin("status", {}, { timeoutMs: 2_000 })) as Status;
    const { nodes, transfers } = status;
    const areMembers = nodes.every(({ state }) => state === "member");
    return transfers === 0 && areMembers && nodes.length === cluster.present.length;
  } catch {
    return false;
  }
}
