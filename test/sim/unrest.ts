/**
 * What is not at rest in a world that should be, each with its reason: rings that differ, owners
 * that are too few or twice the same, hints that nobody delivered, what former owners still have,
 * trees that are not those of what is stored, and clients that wait for an answer.
 */
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId, Partition } from "../../src/core/ids.ts";
import type { Hash } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { fanOut, leavesPerTree, MerkleTree } from "../../src/core/sync/merkle.ts";
import type { World } from "./world.ts";

type OutcomeOf<K extends StoreOutcome["kind"]> = Extract<StoreOutcome, { readonly kind: K }>;

const parents = Array.from({ length: fanOut }, (_, i) => i);
const leaves = Array.from({ length: leavesPerTree }, (_, i) => i);

/** Empty when everything is where it should be. */
export async function findUnrest(world: World): Promise<string[]> {
  const { ring } = world;
  const unrest = [...ringWrongs(ring)];
  const present = world.live.filter((id) =>
    ring.members.some((member) => member.id === id && member.state !== "left"),
  );
  const roots = new Map<Partition, Map<string, NodeId[]>>();
  for (const id of present) {
    const { epoch, generation } = world.ringOf(id);
    if (epoch !== ring.epoch || generation !== ring.generation) {
      unrest.push(`node ${id} is in epoch ${generation}/${epoch}`);
    }
    const waiting = world.watch.answers.unansweredAt(id);
    if (waiting > 0) unrest.push(`${waiting} requests at node ${id} are not answered`);
    const fills = world.watch.fillingOf(id);
    if (fills.length > 0) unrest.push(`node ${id} still fills ${fills.join(" ")}`);
    unrest.push(...(await hintsLeft(world, id)));
    unrest.push(...(await partitionsOf(world, id, roots)));
  }
  for (const [partition, found] of roots) {
    if (found.size < 2) continue;
    const sides = [...found.values()].map((nodes) => nodes.join(" ")).join(", not as ");
    unrest.push(`the trees of partition ${partition} differ: ${sides}`);
  }
  return unrest;
}

/** What no ring may be: told from the state alone. */
export function ringWrongs({ owners, members, moves, n }: RingState): string[] {
  const wrongs: string[] = [];
  if (moves.length > 0) wrongs.push(`${moves.length} partitions have yet to move`);
  const staying = members.filter(({ state }) => state === "member");
  const dcs = new Map<string, number>();
  for (const { dc } of staying) dcs.set(dc, (dcs.get(dc) ?? 0) + 1);
  const wanted = [...dcs.values()].reduce((sum, size) => sum + Math.min(n, size), 0);
  for (const [partition, row] of owners.entries()) {
    if (new Set(row).size < row.length) wrongs.push(`${partition} has an owner twice: ${row}`);
    for (const owner of row) {
      const member = members.find(({ id }) => id === owner);
      if (member === undefined || member.state === "left") {
        wrongs.push(`partition ${partition} is owned by ${owner}, which is no member`);
      }
    }
    if (moves.length === 0 && row.length < wanted) {
      wrongs.push(`partition ${partition} has ${row.length} owners of ${wanted}: ${row}`);
    }
  }
  return wrongs;
}

async function hintsLeft(world: World, id: NodeId): Promise<string[]> {
  const { hints } = await ask(world, id, { kind: "count-hints" }, "counts");
  return hints
    .filter(({ keys }) => keys > 0)
    .map(({ target, keys }) => `node ${id} keeps ${keys} hints for ${target}`);
}

/** Of what it holds, that its tree is right; of what it does not, that nothing is left. */
async function partitionsOf(
  world: World,
  id: NodeId,
  roots: Map<Partition, Map<string, NodeId[]>>,
): Promise<string[]> {
  const unrest: string[] = [];
  const ring = new Ring(world.ring, id);
  for (let partition = 0; partition < ring.partitions; partition++) {
    if (!ring.holders(partition).includes(id)) {
      const work = { kind: "loose", partition, isHolder: false } as const;
      const { isFree } = await ask(world, id, work, "loose");
      if (!isFree) unrest.push(`node ${id} has something of partition ${partition} left over`);
      continue;
    }
    const tree = await treeOf(world, id, partition);
    if (tree === undefined) {
      unrest.push(`node ${id} has no tree of partition ${partition}`);
      continue;
    }
    if (text(tree) !== text(await treeAnew(world, id, partition))) {
      unrest.push(`the tree of partition ${partition} at node ${id} is not that of its store`);
    }
    const same = roots.get(partition) ?? new Map<string, NodeId[]>();
    same.set(text(tree), [...(same.get(text(tree)) ?? []), id]);
    roots.set(partition, same);
  }
  return unrest;
}

async function treeOf(
  world: World,
  id: NodeId,
  partition: Partition,
): Promise<readonly Hash[] | undefined> {
  const work = { kind: "tree", partition, level: "leaves", parents } as const;
  const { ready, hashes } = await ask(world, id, work, "tree");
  return ready ? hashes : undefined;
}

/** From what the store holds of each key now. */
async function treeAnew(world: World, id: NodeId, partition: Partition): Promise<readonly Hash[]> {
  const { digests } = await ask(world, id, { kind: "leaf", partition, leaves }, "leaf");
  const tree = new MerkleTree({ partition, partitions: world.ring.owners.length });
  for (const { token, digest } of digests) tree.replace(token, undefined, digest);
  return tree.leaves(parents);
}

function text(hashes: readonly Hash[]): string {
  return hashes.map(({ high, low }) => `${high}.${low}`).join(" ");
}

async function ask<K extends StoreOutcome["kind"]>(
  world: World,
  id: NodeId,
  work: StoreWork,
  kind: K,
): Promise<OutcomeOf<K>> {
  let answer: StoreOutcome | undefined;
  world.storeOf(id).run(work, (outcome) => {
    answer = outcome;
  });
  await world.runUntil(() => answer !== undefined, 10_000);
  if (answer?.kind !== kind) throw new Error(`node ${id} says ${JSON.stringify(answer)}`);
  return answer as OutcomeOf<K>;
}
