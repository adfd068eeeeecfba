/** What the owners of a world hold, in the form that the checks compare; and where its ring is. */
import type { Versions } from "../../src/core/clock/versions.ts";
import type { StoreOutcome } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Held } from "./checks.ts";
import { keyFrom, textOf } from "./workload.ts";
import type { World } from "./world.ts";

/** By the ring in force: who has left still runs, and may hear of a later one last of all. */
export async function heldIn(
  world: World,
  keys: readonly string[],
): Promise<ReadonlyMap<string, readonly Held[]>> {
  const held = new Map<string, Held[]>();
  for (const text of keys) {
    const key = keyFrom(text);
    const ring = new Ring(world.ring, 0);
    const copies: Held[] = [];
    for (const owner of ring.owners(ring.partitionOf(key))) {
      copies.push(heldFrom(await versionsAt(world, owner, text)));
    }
    held.set(text, copies);
  }
  return held;
}

export async function versionsAt(world: World, node: NodeId, text: string): Promise<Versions> {
  let found: StoreOutcome | undefined;
  world.storeOf(node).run({ kind: "read", key: keyFrom(text), targets: [] }, (outcome) => {
    found = outcome;
  });
  await world.timeline.runUntil(world.timeline.now + 10_000, () => found !== undefined);
  if (found === undefined) throw new Error(`node ${node} does not answer`);
  if (found.kind !== "versions") throw new Error(`node ${node} cannot read ${text}`);
  return found.versions;
}

function heldFrom({ vector, dots, siblings }: Versions): Held {
  return {
    values: siblings.map(({ value }) => textOf(value)),
    versions: JSON.stringify([
      vector.map(({ actor, counter }) => [actor, counter]),
      dots.map(({ actor, counter }) => [actor, counter]),
      siblings.map(({ dot, value }) => [dot.actor, dot.counter, textOf(value)]),
    ]),
  };
}

/** Where the ring stands, for people. */
export function describeRing(world: World): string {
  const { members, moves, epoch, generation } = world.ring;
  const nodes = members.map(({ id, state }) => {
    const knows = world.live.includes(id) ? `epoch ${world.ringOf(id).epoch}` : "down";
    return `node ${id} ${state}, ${knows}, fills ${world.watch.fillingOf(id).join(" ")}`;
  });
  const moving = moves.map(({ partition, to }) => `${partition} to ${to.join(" ")}`).join(", ");
  return [`epoch ${generation}/${epoch}, moves ${moving}`, ...nodes].join("\n");
}
