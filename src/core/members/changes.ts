/**
 * Changes of the ring, as pure functions from one state to the next. None of them takes force
 * before it is agreed (epochs.ts). Present owners stay until those to come hold everything: a
 * change names the owners to come in `moves`, and `finishMoves` puts them in place later. Only
 * where an owner is gone for good is it replaced at once. A change that finds nothing to do gives
 * back the very state that it was given.
 */
import { failed } from "../failure.ts";
import type { NodeId } from "../ids.ts";
import { membersMax } from "../limits.ts";
import type { Candidate, Failed } from "../message.ts";
import { checkParameters, isSameSet, lastNumber } from "../ring/check-ring.ts";
import { plan } from "../ring/planner.ts";
import type { Member, Move, RingState } from "../ring/ring-state.ts";

/** Lets a node in under a number that nobody had before. It owns nothing until it is filled. */
export function admit(state: RingState, candidate: Candidate): RingState | Failed {
  const { address, dc, rack, weight } = candidate;
  const [fault] = checkParameters(candidate);
  if (fault !== undefined) return failed("INVALID_ARGUMENT", `the node has ${fault}`);
  const holder = state.members.find((one) => one.address === address && one.state !== "left");
  if (holder !== undefined) {
    return failed("NODE_ID_IN_USE", `${address} is the address of node ${holder.id}`);
  }
  if (state.members.length >= membersMax) {
    return failed("INVALID_ARGUMENT", `${membersMax} nodes are members, or were; no more can be`);
  }
  const id = lastNumber(state.members) + 1;
  const member: Member = { id, address, dc, rack, weight, state: "member" };
  return replanned(state, [...state.members, member]);
}

/**
 * Puts the owners to come in place. Moves that have another target by now are passed over. Who was
 * leaving and holds nothing any more has left.
 */
export function finishMoves(state: RingState, finished: readonly Move[]): RingState {
  const targets = new Map(finished.map(({ partition, to }) => [partition, to]));
  const isFinished = ({ partition, to }: Move): boolean =>
    isSameSet(to, targets.get(partition) ?? []);
  const done = new Map(state.moves.filter(isFinished).map(({ partition, to }) => [partition, to]));
  if (done.size === 0) return state;
  const owners = state.owners.map((row, partition) => done.get(partition) ?? row);
  const moves = state.moves.filter(({ partition }) => !done.has(partition));
  return withoutLeft({ ...state, epoch: state.epoch + 1, owners, moves });
}

/** Lets a node go: it owns and votes until others hold what it has. */
export function leave(state: RingState, node: NodeId): RingState | Failed {
  const member = presentMember(state, node);
  if ("kind" in member) return member;
  if (member.state === "leaving") return state;
  if (!isAnyoneElse(state, [node])) return nobodyLeft([node]);
  return replanned(state, changed(state, node, { state: "leaving" }));
}

/** Strikes out a node that will not come back. Newcomers own at once, and fill as owners. */
export function remove(state: RingState, node: NodeId): RingState | Failed {
  const member = presentMember(state, node);
  if ("kind" in member) return member;
  return isAnyoneElse(state, [node]) ? without(state, [node]) : nobodyLeft([node]);
}

export function setWeight(state: RingState, node: NodeId, weight: number): RingState | Failed {
  const member = presentMember(state, node);
  if ("kind" in member) return member;
  if (member.weight === weight) return state;
  const [fault] = checkParameters({ ...member, weight });
  if (fault !== undefined) return failed("INVALID_ARGUMENT", `node ${node} would have ${fault}`);
  return replanned(state, changed(state, node, { weight }));
}

/**
 * The ring that an administrator forces when a majority is gone for good: a new generation, which
 * fences off whatever the lost nodes still agree on among themselves.
 */
export function forced(state: RingState, lost: readonly NodeId[]): RingState | Failed {
  for (const node of lost) {
    const member = presentMember(state, node);
    if ("kind" in member) return member;
  }
  if (!isAnyoneElse(state, lost)) return nobodyLeft(lost);
  return { ...without(state, lost), generation: state.generation + 1 };
}

/** Where only the order of owners differs nothing has to move, and it is changed at once. */
function replanned(state: RingState, members: readonly Member[]): RingState {
  const goal = plan(members, state.n, state.owners, state.moves);
  return headedFor(goal, { ...state, members, epoch: state.epoch + 1 });
}

function headedFor(goal: readonly (readonly NodeId[])[], state: RingState): RingState {
  const goalOf = (partition: number): readonly NodeId[] => goal[partition] ?? [];
  const owners = state.owners.map((row, partition) =>
    isSameSet(row, goalOf(partition)) ? goalOf(partition) : row,
  );
  const moves = owners.flatMap((row, partition) =>
    isSameSet(row, goalOf(partition)) ? [] : [{ partition, to: goalOf(partition) }],
  );
  return withoutLeft({ ...state, owners, moves });
}

function without(state: RingState, lost: readonly NodeId[]): RingState {
  const members = state.members.map((member) =>
    lost.includes(member.id) ? { ...member, state: "left" as const } : member,
  );
  const survivors = state.owners.map((row) => row.filter((node) => !lost.includes(node)));
  const goal = plan(members, state.n, survivors, state.moves);
  const owners = survivors.map((row, partition) => {
    if (row.length === state.owners[partition]?.length) return row;
    // A survivor that the plan would move elsewhere stays until the newcomers are filled.
    const newcomers = goal[partition]?.filter((node) => !row.includes(node)) ?? [];
    return [...row, ...newcomers].slice(0, Math.max(row.length, goal[partition]?.length ?? 0));
  });
  return headedFor(goal, { ...state, members, owners, epoch: state.epoch + 1 });
}

function withoutLeft(state: RingState): RingState {
  const busy = new Set([...state.owners.flat(), ...state.moves.flatMap(({ to }) => to)]);
  const members = state.members.map((member) =>
    member.state === "leaving" && !busy.has(member.id)
      ? { ...member, state: "left" as const }
      : member,
  );
  return { ...state, members };
}

function changed(state: RingState, node: NodeId, change: Partial<Member>): readonly Member[] {
  return state.members.map((member) => (member.id === node ? { ...member, ...change } : member));
}

function presentMember(state: RingState, node: NodeId): Member | Failed {
  const member = state.members.find(({ id }) => id === node);
  if (member !== undefined && member.state !== "left") return member;
  return failed("NODE_UNKNOWN", `node ${node} is no member of the cluster`);
}

/** Somebody must be there to own the data. */
function isAnyoneElse(state: RingState, gone: readonly NodeId[]): boolean {
  return state.members.some(({ id, state: role }) => role === "member" && !gone.includes(id));
}

function nobodyLeft(gone: readonly NodeId[]): Failed {
  const message = `without ${gone.join(", ")} nobody would be left to own the data`;
  return failed("INVALID_ARGUMENT", message);
}
