/** What the store of a node in a world says of clean-up. */
import type { RoundState } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { World } from "./world.ts";

export async function roundsAt(world: World, node: NodeId): Promise<readonly RoundState[]> {
  let rounds: readonly RoundState[] | undefined;
  world.storeOf(node).run({ kind: "survey-rounds" }, (outcome) => {
    if (outcome.kind === "rounds") rounds = outcome.rounds;
  });
  await world.timeline.runUntil(world.timeline.now + 10_000, () => rounds !== undefined);
  // What a former owner has left waits for its removal.
  const ring = new Ring(world.ring, node);
  return (rounds ?? []).filter(({ partition }) => ring.holders(partition).includes(node));
}
