/**
 * Who should own what: a pure function from the members and the present owners to the owners to
 * come. Each partition gets n distinct members, or all when there are fewer. Members hold shares
 * in proportion to weight. Racks hold no more of a partition than their part of all shares,
 * rounded up: with n racks or more of fair size that is one copy. Within these rules nothing moves
 * that can stay, and the first owners are spread evenly. The same input gives the same plan.
 */
import { assert } from "../../../native-free-engine/base/assert.ts";
import type { NodeId } from "../ids.ts";
import { evenFirstOwners } from "./first-owners.ts";
import { place, scatter } from "./placement.ts";
import type { Member, Move } from "./ring-state.ts";
import { sharesOf } from "./shares.ts";

export type Owners = readonly (readonly NodeId[])[];

/** Moves that run already: among plans that move as little, the one that keeps most of them. */
export function plan(
  members: readonly Member[],
  n: number,
  present: Owners,
  moves: readonly Move[] = [],
): Owners {
  const staying = members.filter(({ state }) => state === "member").sort((a, b) => a.id - b.id);
  assert(staying.length > 0, "somebody must own the data");
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

/** Partitions with more copies in one rack than the number of racks makes necessary. */
export function crowdedPartitions(members: readonly Member[], owners: Owners): readonly number[] {
  const racks = new Map(members.map((member) => [member.id, rackOf(member)]));
  const present = members.filter(({ state }) => state === "member");
  const count = new Set(present.map(rackOf)).size;
  return owners.flatMap((row, partition) => {
    const used = new Set(row.map((node) => racks.get(node)));
    return used.size < Math.min(row.length, count) ? [partition] : [];
  });
}

function rackRules(
  members: readonly Member[],
  shares: readonly number[],
  partitions: number,
): { readonly racks: readonly number[]; readonly rackMax: readonly number[] } {
  const names = [...new Set(members.map(rackOf))];
  const racks = members.map((member) => names.indexOf(rackOf(member)));
  const totals = names.map((_, rack) =>
    shares.reduce((sum, share, i) => (racks[i] === rack ? sum + share : sum), 0),
  );
  return { racks, rackMax: totals.map((total) => Math.ceil(total / partitions)) };
}

function rackOf({ dc, rack }: Member): string {
  return `${dc}\0${rack}`;
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
