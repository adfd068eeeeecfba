/**
 * `kvctl status` as data: a contract with other programs. It is computed from what every live node
 * said of itself just now, so `rootsAgree` compares real roots and not rumours.
 */
import type { NodeId } from "../ids.ts";
import type { Member, RingState } from "../ring/ring-state.ts";
import type { StateReport } from "./report.ts";

export interface NodeStatus {
  readonly id: NodeId;
  readonly address: string;
  readonly dc: string;
  readonly rack: string;
  readonly weight: number;
  readonly state: Member["state"] | "joining";
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
  /** Partitions with fewer than n live owners. */
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
  const owned = new Map<NodeId, number>();
  for (const owners of state.owners) {
    for (const owner of owners) owned.set(owner, (owned.get(owner) ?? 0) + 1);
  }
  const hintsFor = new Map<NodeId, number>();
  for (const { hints } of reports.values()) {
    for (const { target, keys } of hints) hintsFor.set(target, (hintsFor.get(target) ?? 0) + keys);
  }
  const short = state.owners.filter((owners) => owners.filter(isLive).length < state.n);
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
    underReplicated: short.length,
    rebuilding: sum([...reports.values()].map(({ rebuilding }) => rebuilding)),
    rootsAgree: present.every(({ id }) => reports.has(id)) && doRootsAgree(state, reports),
  };
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
