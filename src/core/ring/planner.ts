/**
 * Who should own what: a pure function from the members and the present owners to the owners to
 * come. Each data centre is planned by itself, and holds n copies of each partition on distinct
 * members, or one on each when there are fewer: what one of them changes moves nothing in another.
 * Members hold shares in proportion to weight. Racks hold no more of a partition than their part
 * of all shares, rounded up: with n racks or more of fair size that is one copy. Within these
 * rules nothing moves that can stay, and the first owners are spread evenly. The same input gives
 * the same plan.
 */
import { assert } from "../../../native-free-engine/base/assert.ts";
import type { NodeId } from "../ids.ts";
import { evenFirstOwners } from "./first-owners.ts";
import { place, scatter } from "./placement.ts";
import type { Member, Move } from "./ring-state.ts";
import { sharesOf } from "./shares.ts";

export type Owners = readonly (readonly NodeId[])[];

/**
 * A row names the owners of one data centre after those of the other, in the order of the data
 * centres' names. Moves that run already: among plans that move as little, the one that keeps most
 * of them.
 */
export function plan(
  members: readonly Member[],
  n: number,
  present: Owners,
  moves: readonly Move[] = [],
): Owners {
  const staying = members.filter(({ state }) => state === "member").sort((a, b) => a.id - b.id);
  assert(staying.length > 0, "somebody must own the data");
  const plans = namesOfDataCentres(staying).map((name) =>
    planOne(
      staying.filter(({ dc }) => dc === name),
      { n, present, moves },
    ),
  );
  return present.map((_, partition) => plans.flatMap((rows) => rows[partition] ?? []));
}

/** Partitions with more copies in one rack than the number of racks makes necessary. */
export function crowdedPartitions(members: readonly Member[], owners: Owners): readonly number[] {
  const present = members.filter(({ state }) => state === "member");
  const crowded = namesOfDataCentres(present).flatMap((name) => {
    const inside = members.filter(({ dc }) => dc === name);
    const racks = new Map(inside.map(({ id, rack }) => [id, rack]));
    const count = new Set(present.filter(({ dc }) => dc === name).map(({ rack }) => rack)).size;
    return owners.flatMap((row, partition) => {
      const near = row.filter((node) => racks.has(node));
      const used = new Set(near.map((node) => racks.get(node)));
      return used.size < Math.min(near.length, count) ? [partition] : [];
    });
  });
  return [...new Set(crowded)].sort((a, b) => a - b);
}

function namesOfDataCentres(members: readonly Member[]): readonly string[] {
  return [...new Set(members.map(({ dc }) => dc))].sort();
}

/** The rows of one data centre. Owners elsewhere are strangers to it. */
function planOne(
  staying: readonly Member[],
  { n, present, moves }: { n: number; present: Owners; moves: readonly Move[] },
): Owners {
  const indexOf = new Map(staying.map(({ id }, index) => [id, index]));
  const indexesOf = (nodes: readonly NodeId[]): number[] =>
    nodes.map((node) => indexOf.get(node)).filter((index) => index !== undefined);
  const kept = present.map(indexesOf);
  const pending = present.map((): number[] => []);
  for (const { partition, to } of moves) pending[partition] = indexesOf(to);
  const held = staying.map(() => 0);
  for (const row of kept) for (const index of row) held[index] = (held[index] ?? 0) + 1;
  const partitions = present.length;
  const copies = Math.min(n, staying.length);
  const shares = sharesOf(staying, { partitions, copies, held });
  const { racks, rackMax } = rackRules(staying, shares, partitions);
  const rows = place({
    partitions,
    copies,
    shares,
    racks,
    rackMax,
    present: kept,
    pending,
  }).map((row, partition) => ordered(row, kept[partition] ?? [], partition));
  const owners = rows.map((row) => row.map((index) => staying[index]!.id));
  evenFirstOwners(owners);
  return owners;
}

function rackRules(
  members: readonly Member[],
  shares: readonly number[],
  partitions: number,
): { readonly racks: readonly number[]; readonly rackMax: readonly number[] } {
  const names = [...new Set(members.map(({ rack }) => rack))];
  const racks = members.map(({ rack }) => names.indexOf(rack));
  const totals = names.map((_, rack) =>
    shares.reduce((sum, share, i) => (racks[i] === rack ? sum + share : sum), 0),
  );
  return { racks, rackMax: totals.map((total) => Math.ceil(total / partitions)) };
}

/** Present owners keep their order, and newcomers follow in one that differs by partition. */
function ordered(
  row: readonly number[],
  present: readonly number[],
  partition: number,
): readonly number[] {
  const stay = present.filter((index) => row.includes(index));
  const come = row.filter((index) => !present.includes(index));
  return [...stay, ...come.sort((a, b) => scatter(partition, a) - scatter(partition, b))];
}
