/**
 * What a change of the ring would do, before it is made: which partitions move from whom to whom,
 * about how many bytes that is, who holds how much before and after, and what is unwise about it.
 * A pure function of the ring and of the sizes that nodes told.
 */
import type { NodeId, Partition } from "../ids.ts";
import { applied } from "../members/changes.ts";
import type { Failed } from "../message.ts";
import { isSameSet } from "../ring/check-ring.ts";
import { md5Hex } from "../ring/md5.ts";
import { crowdedPartitions, type Owners } from "../ring/planner.ts";
import type { Member, RingState, StagedChange } from "../ring/ring-state.ts";
import { encodeRing } from "../wire/ring.ts";

export interface PlannedMove {
  readonly partition: Partition;
  readonly from: readonly NodeId[];
  readonly to: readonly NodeId[];
}

export interface Share {
  readonly node: NodeId;
  readonly address: string;
  readonly dc: string;
  readonly weight: number;
  readonly state: Member["state"];
  /** Partitions that it owns now, and will own. */
  readonly before: number;
  readonly after: number;
}

export interface Plan {
  /** Names what will be: the same ring has the same id, whatever has moved already. */
  readonly id: string;
  readonly epoch: number;
  readonly changes: readonly StagedChange[];
  readonly moves: readonly PlannedMove[];
  /** Copies of partitions that have to be sent, and the fewest that any plan could do with. */
  readonly copies: number;
  readonly copiesMin: number;
  /** About; null where no owner told what it holds. */
  readonly bytes: number | null;
  readonly balance: readonly Share[];
  readonly warnings: readonly string[];
}

export interface PlanInput {
  readonly state: RingState;
  readonly changes: readonly StagedChange[];
  /** About how many bytes one copy of the partition has. */
  bytesOf(partition: Partition): number | undefined;
  isLive(node: NodeId): boolean;
  /** Copies of partitions, over all nodes, that are not complete yet. */
  readonly filling: number;
}

export function planOf(input: PlanInput): Plan | Failed {
  const { state, changes } = input;
  const next = applied(state, changes);
  if ("kind" in next) return next;
  const goal = goalOf(next);
  const rows = goal.map((to, partition) => ({
    partition,
    from: state.owners[partition] ?? [],
    to,
  }));
  const moves = rows.filter(({ from, to }) => !isSameSet(from, to));
  const balance = balanceOf(state, next, goal);
  return {
    id: planIdOf(next),
    epoch: state.epoch,
    changes,
    moves,
    copies: moves.reduce((sum, { from, to }) => sum + newcomers(from, to), 0),
    copiesMin: balance.reduce((sum, { before, after }) => sum + Math.max(0, after - before), 0),
    bytes: bytesOfMoves(moves, input),
    balance,
    warnings: warningsOf(input, next, goal),
  };
}

/** Of a ring in which the changes are made. */
export function planIdOf(next: RingState): string {
  const owners = goalOf(next).map((row) => [...row].sort((a, b) => a - b));
  const outcome = { ...next, owners, generation: 1, epoch: 1, moves: [], buckets: [], staged: [] };
  return md5Hex(encodeRing(outcome)).slice(0, 8);
}

/** The owners once nothing moves any more. */
export function goalOf({ owners, moves }: RingState): Owners {
  const targets = new Map(moves.map(({ partition, to }) => [partition, to]));
  return owners.map((row, partition) => targets.get(partition) ?? row);
}

function newcomers(from: readonly NodeId[], to: readonly NodeId[]): number {
  return to.filter((node) => !from.includes(node)).length;
}

function balanceOf(state: RingState, next: RingState, goal: Owners): readonly Share[] {
  const before = countOf(state.owners);
  const after = countOf(goal);
  return next.members
    .filter((member) => member.state !== "left" || (before.get(member.id) ?? 0) > 0)
    .map(({ id, address, dc, weight, state: role }) => ({
      ...{ node: id, address, dc, weight, state: role },
      before: before.get(id) ?? 0,
      after: after.get(id) ?? 0,
    }));
}

export function countOf(owners: Owners): ReadonlyMap<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const row of owners) for (const node of row) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}

function bytesOfMoves(moves: readonly PlannedMove[], { bytesOf }: PlanInput): number | null {
  let bytes = 0;
  for (const { partition, from, to } of moves) {
    const size = bytesOf(partition);
    if (size === undefined) return null;
    bytes += size * newcomers(from, to);
  }
  return Math.round(bytes);
}

function warningsOf(input: PlanInput, next: RingState, goal: Owners): readonly string[] {
  const { state, changes, isLive, filling } = input;
  const warnings: string[] = [];
  const present = new Set(next.members.flatMap((one) => (one.state === "left" ? [] : [one.id])));
  const lost = state.owners.filter((row) => !row.some((node) => present.has(node))).length;
  if (lost > 0) warnings.push(`${lost} partitions lose every copy that they have`);
  for (const { kind, node } of changes) {
    if (kind !== "remove" || !isLive(node)) continue;
    warnings.push(`node ${node} is live: leave lets it hand over what it holds, remove does not`);
  }
  if (filling > 0 && changes.some(({ kind }) => kind === "remove")) {
    warnings.push(`${filling} copies are not complete yet: what is struck out may be missed`);
  }
  const staying = next.members.filter((member) => member.state === "member");
  for (const dc of new Set(staying.map((member) => member.dc))) {
    const count = staying.filter((member) => member.dc === dc).length;
    if (count >= next.n) continue;
    warnings.push(`${dc} has ${count} of the ${next.n} nodes that ${next.n} copies need`);
  }
  const crowded = crowdedPartitions(next.members, goal).length;
  if (crowded > 0) warnings.push(`${crowded} partitions have two copies in one rack`);
  return warnings;
}
