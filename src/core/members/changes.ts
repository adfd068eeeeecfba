/**
 * Changes of the ring, as pure functions from one state to the next. None of them takes force
 * before it is agreed (epochs.ts). A change that finds nothing to do gives back the very state
 * that it was given. How owners follow from members is in reassign.ts; changes that wait to be
 * committed together are in staging.ts.
 */
import { failed } from "../failure.ts";
import type { NodeId } from "../ids.ts";
import { generationEpochs, membersMax } from "../limits.ts";
import type { Candidate, Failed } from "../message.ts";
import { checkParameters, isSameSet, lastNumber } from "../ring/check-ring.ts";
import type { Member, Move, RingState, StagedChange } from "../ring/ring-state.ts";
import { asLeft, leavingIdle, reassigned, settled, substituted } from "./reassign.ts";

/**
 * Lets a node in under a number that nobody had before. It owns nothing until it is filled; or,
 * where it replaces a member that lost its data, everything that one owned.
 */
export function admit(
  state: RingState,
  candidate: Candidate,
  replaces?: NodeId,
): RingState | Failed {
  const waiting = withCandidate(state, candidate, replaces);
  if ("kind" in waiting) return waiting;
  const node = lastNumber(waiting.members);
  return applied(waiting, [{ kind: "join", node, replaces }]);
}

/** With the node among the members, as one that waits. */
export function withCandidate(
  state: RingState,
  candidate: Candidate,
  replaces: NodeId | undefined,
): RingState | Failed {
  const { address, dc, rack, weight } = candidate;
  const [fault] = checkParameters(candidate);
  if (fault !== undefined) return failed("INVALID_ARGUMENT", `the node has ${fault}`);
  const holder = state.members.find(
    (one) => one.address === address && one.state !== "left" && one.id !== replaces,
  );
  if (holder !== undefined) {
    return failed("NODE_ID_IN_USE", `${address} is the address of node ${holder.id}`);
  }
  if (state.members.length >= membersMax) {
    return failed("INVALID_ARGUMENT", `${membersMax} nodes are members, or were; no more can be`);
  }
  const replaced = replaces === undefined ? undefined : owningMember(state, replaces);
  if (replaced !== undefined && "kind" in replaced) return replaced;
  if (replaced !== undefined && replaced.dc !== dc) {
    const message = `node ${replaced.id} stands in data centre ${replaced.dc}, not in ${dc}`;
    return failed("INVALID_ARGUMENT", `${message}: who takes its place must stand there too`);
  }
  const id = lastNumber(state.members) + 1;
  // What a member weighs is the cluster's to say: it is not changed by a disk that was lost.
  const share = replaced?.weight ?? weight;
  const member: Member = { id, address, dc, rack, weight: share, state: "joining" };
  return { ...state, members: [...state.members, member] };
}

/** Puts the owners to come in place. Moves that have another target by now are passed over. */
export function finishMoves(state: RingState, finished: readonly Move[]): RingState {
  const targets = new Map(finished.map(({ partition, to }) => [partition, to]));
  const isFinished = ({ partition, to }: Move): boolean =>
    isSameSet(to, targets.get(partition) ?? []);
  const done = new Map(state.moves.filter(isFinished).map(({ partition, to }) => [partition, to]));
  if (done.size === 0) return state;
  const owners = state.owners.map((row, partition) => done.get(partition) ?? row);
  const moves = state.moves.filter(({ partition }) => !done.has(partition));
  return settled({ ...state, epoch: state.epoch + 1, owners, moves });
}

/** Of these nodes those that were leaving, and own nothing any more, have left. */
export function departed(state: RingState, nodes: readonly NodeId[]): RingState {
  const gone = leavingIdle(state).filter((node) => nodes.includes(node));
  if (gone.length === 0) return state;
  const members = state.members.map((one) => (gone.includes(one.id) ? asLeft(one) : one));
  return settled({ ...state, members, epoch: state.epoch + 1 });
}

/** Lets a node go: it owns and votes until others hold what it has. */
export function leave(state: RingState, node: NodeId): RingState | Failed {
  return applied(state, [{ kind: "leave", node }]);
}

/** Strikes out a node that will not come back. Newcomers own at once, and fill as owners. */
export function remove(state: RingState, node: NodeId): RingState | Failed {
  return applied(state, [{ kind: "remove", node }]);
}

export function setWeight(state: RingState, node: NodeId, weight: number): RingState | Failed {
  return applied(state, [{ kind: "weight", node, weight }]);
}

/**
 * The ring that an administrator forces when a majority is gone for good: a new generation, which
 * fences off whatever the lost nodes still agree on among themselves.
 */
export function forced(state: RingState, lost: readonly NodeId[]): RingState | Failed {
  const next = applied(
    state,
    [...new Set(lost)].map((node) => ({ kind: "remove", node })),
  );
  if ("kind" in next) return next;
  const epoch = state.epoch + 1 + generationEpochs;
  return { ...next, epoch, generation: state.generation + 1 };
}

/**
 * All of these changes at once, in one plan: what several of them would move twice moves once.
 * Taking a node that waits to be let in away again is a change, too.
 */
export function applied(state: RingState, changes: readonly StagedChange[]): RingState | Failed {
  let next = state;
  let isPlanned = false;
  for (const change of changes) {
    const outcome = changedBy(next, change);
    if ("kind" in outcome) return outcome;
    if (outcome === next) continue;
    isPlanned ||= isForPlanner(next, change);
    next = outcome;
  }
  if (next === state) return state;
  if (!next.members.some((member) => member.state === "member")) {
    const gone = changes.map(({ node }) => node).join(", ");
    return failed("INVALID_ARGUMENT", `without ${gone} nobody would be left to own the data`);
  }
  return isPlanned ? reassigned(next, next.members) : settled({ ...next, epoch: state.epoch + 1 });
}

/** A newcomer in the place of a member inherits what that one had; nothing else moves. */
function isForPlanner({ members }: RingState, change: StagedChange): boolean {
  const stateOf = (node: NodeId) => members.find(({ id }) => id === node)?.state;
  if (change.kind !== "join") return stateOf(change.node) !== "joining";
  return change.replaces === undefined || stateOf(change.replaces) !== "member";
}

/** Members as the change makes them; owners differ only where one takes another's place. */
function changedBy(state: RingState, change: StagedChange): RingState | Failed {
  const { node, kind } = change;
  const waiting = state.members.find((one) => one.id === node && one.state === "joining");
  if (kind === "join") {
    if (waiting === undefined) return failed("NODE_UNKNOWN", `node ${node} does not wait to join`);
    const next = withMember(state, { ...waiting, state: "member" });
    const { replaces } = change;
    const replaced = replaces === undefined ? undefined : owningMember(state, replaces);
    if (replaced === undefined) return next;
    if ("kind" in replaced) return replaced;
    return withMember(substituted(next, replaced.id, node), asLeft(replaced));
  }
  if (waiting !== undefined && kind !== "weight") return withMember(state, asLeft(waiting));
  const member = owningMember(state, node);
  if ("kind" in member) return member;
  if (kind === "remove") return withMember(state, asLeft(member));
  if (kind === "leave") {
    return member.state === "leaving" ? state : withMember(state, { ...member, state: "leaving" });
  }
  if (member.weight === change.weight) return state;
  const [fault] = checkParameters({ ...member, weight: change.weight });
  if (fault !== undefined) return failed("INVALID_ARGUMENT", `node ${node} would have ${fault}`);
  return withMember(state, { ...member, weight: change.weight });
}

function withMember(state: RingState, member: Member): RingState {
  return { ...state, members: state.members.map((one) => (one.id === member.id ? member : one)) };
}

/** A member that can own something: neither gone nor still waiting. */
export function owningMember({ members }: RingState, node: NodeId): Member | Failed {
  const member = members.find(({ id }) => id === node);
  if (member?.state === "member" || member?.state === "leaving") return member;
  const why = member?.state === "joining" ? "waits to be let in" : "is no member of the cluster";
  return failed("NODE_UNKNOWN", `node ${node} ${why}`);
}
