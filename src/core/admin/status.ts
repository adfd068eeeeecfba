/**
 * `kvctl status` as data: a contract with other programs. It is computed from what every live node
 * said of itself just now, so `rootsAgree` compares real roots and not rumours.
 */
import type { Millis, NodeId } from "../ids.ts";
import type { Member, RingState } from "../ring/ring-state.ts";
import { countOf } from "./plan.ts";
import type { StateReport } from "./report.ts";

export interface NodeStatus {
  readonly id: NodeId;
  readonly address: string;
  readonly dc: string;
  readonly rack: string;
  readonly weight: number;
  readonly state: Member["state"];
  readonly live: boolean;
  /** Partitions that it owns now, and keys that are kept for it elsewhere. */
  readonly partitions: number;
  readonly hints: number;
}

export interface Status {
  readonly clusterId: string;
  readonly epoch: number;
  readonly nodes: readonly NodeStatus[];
  readonly n: number;
  readonly r: number;
  readonly w: number;
  /** Keys kept by some node for another. */
  readonly hintsPending: number;
  /** Partitions on their way to other owners. */
  readonly transfers: number;
  /** Until all partitions are where they shall be; null when that cannot be told yet. */
  readonly timeLeftMs: Millis | null;
  /** Changes of membership that wait to be committed. */
  readonly staged: number;
  /** Partitions with fewer than n live owners in some data centre. */
  readonly underReplicated: number;
  /** Copies of partitions that are not complete yet, over all nodes. */
  readonly rebuilding: number;
  /** Every member answered, and for each partition all its holders have the same tree. */
  readonly rootsAgree: boolean;
}

export interface StatusInput {
  readonly state: RingState;
  readonly r: number;
  readonly w: number;
  readonly reports: ReadonlyMap<NodeId, StateReport>;
  isLive(node: NodeId): boolean;
}

export function statusOf({ state, r, w, reports, isLive }: StatusInput): Status {
  const present = state.members.filter((member) => member.state !== "left");
  const owning = present.filter((member) => member.state !== "joining");
  const owned = countOf(state.owners);
  const hintsFor = new Map<NodeId, number>();
  for (const { hints } of reports.values()) {
    for (const { target, keys } of hints) hintsFor.set(target, (hintsFor.get(target) ?? 0) + keys);
  }
  const lefts = [...reports.values()].map((report) => report.timeLeftMs);
  const isUntold = state.moves.length > 0 && lefts.every((left) => left === 0);
  return {
    clusterId: state.clusterId,
    epoch: state.epoch,
    nodes: present.map(({ id, address, dc, rack, weight, state: role }) => ({
      id,
      address,
      dc,
      rack,
      weight,
      state: role === "member" && isJoining(state, id, owned) ? "joining" : role,
      live: isLive(id),
      partitions: owned.get(id) ?? 0,
      hints: hintsFor.get(id) ?? 0,
    })),
    n: state.n,
    r,
    w,
    hintsPending: sum(hintsFor.values()),
    transfers: state.moves.length,
    timeLeftMs: isUntold || lefts.includes(null) ? null : Math.max(0, ...lefts.map(Number)),
    staged: state.staged.length,
    underReplicated: underReplicated(state, isLive),
    rebuilding: sum([...reports.values()].map(({ rebuilding }) => rebuilding)),
    rootsAgree: owning.every(({ id }) => reports.has(id)) && doRootsAgree(state, reports),
  };
}

/** A data centre has to have n live owners of each partition as soon as it has a member. */
function underReplicated(state: RingState, isLive: (node: NodeId) => boolean): number {
  const dcs = new Map(state.members.map(({ id, dc }) => [id, dc]));
  const used = new Set(state.owners.flatMap((row) => row.map((node) => dcs.get(node))));
  const isShort = (row: readonly NodeId[], dc: string | undefined): boolean =>
    row.filter((node) => dcs.get(node) === dc && isLive(node)).length < state.n;
  return state.owners.filter((row) => [...used].some((dc) => isShort(row, dc))).length;
}

function doRootsAgree(state: RingState, reports: ReadonlyMap<NodeId, StateReport>): boolean {
  const moving = new Map(state.moves.map(({ partition, to }) => [partition, to]));
  return state.owners.every((owners, partition) => {
    const holders = new Set([...owners, ...(moving.get(partition) ?? [])]);
    const roots = [...holders].map((node) => reports.get(node)?.roots[partition]);
    return roots.every((root) => typeof root === "string" && root === roots[0]);
  });
}

/** It owns nothing yet, and something is on its way to it. */
function isJoining(state: RingState, id: NodeId, owned: ReadonlyMap<NodeId, number>): boolean {
  return !owned.has(id) && state.moves.some(({ to }) => to.includes(id));
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
