/**
 * From the members that shall be to the ring that follows: present owners stay until those to come
 * hold everything, and `moves` names who these are. Only where an owner is gone for good is it
 * replaced at once, by a newcomer that fills as an owner. What waits to be committed is kept as
 * far as it still has a meaning.
 */
import type { NodeId } from "../ids.ts";
import { isSameSet } from "../ring/check-ring.ts";
import { plan } from "../ring/planner.ts";
import type { Member, Move, RingState, StagedChange } from "../ring/ring-state.ts";

/** The next epoch with these members; whoever has `left` among them owns nothing from now on. */
export function reassigned(state: RingState, members: readonly Member[]): RingState {
  const present = new Map(
    members.filter((member) => member.state !== "left").map(({ id, dc }) => [id, dc]),
  );
  const survivors = state.owners.map((row) => row.filter((node) => present.has(node)));
  const goal = plan(members, state.n, survivors, state.moves);
  const owners = survivors.map((row, partition) => {
    if (row.length === state.owners[partition]?.length) return row;
    return filledUp(row, goal[partition] ?? [], (node) => present.get(node));
  });
  return headedFor(goal, { ...state, members, owners, epoch: state.epoch + 1 });
}

/** A newcomer takes the place of a member that is gone: it owns what that one owned, at once. */
export function substituted(state: RingState, gone: NodeId, newcomer: NodeId): RingState {
  const swap = (row: readonly NodeId[]): readonly NodeId[] =>
    row.map((node) => (node === gone ? newcomer : node));
  const moves = state.moves.map(({ partition, to }) => ({ partition, to: swap(to) }));
  return { ...state, owners: state.owners.map(swap), moves };
}

/** What was staged of members that are gone is void. */
export function settled(state: RingState): RingState {
  return { ...state, staged: stillStaged(state.staged, state.members) };
}

/**
 * Members that are leaving and hold no partition any more. They stay members until nothing that
 * they have is lost with them: what they hold for others, and what reached nobody else.
 */
export function leavingIdle({ members, owners, moves }: RingState): readonly NodeId[] {
  if (!members.some(({ state }) => state === "leaving")) return [];
  const busy = new Set([...owners.flat(), ...moves.flatMap(({ to }) => to)]);
  return members
    .filter(({ id, state }) => state === "leaving" && !busy.has(id))
    .map(({ id }) => id);
}

export function asLeft(member: Member): Member {
  return { ...member, state: "left" };
}

/** Changes of members that are gone by now are void; a joiner whose place is free just joins. */
function stillStaged(
  staged: readonly StagedChange[],
  members: readonly Member[],
): readonly StagedChange[] {
  const stateOf = new Map(members.map(({ id, state }) => [id, state]));
  const isOwning = (node: NodeId): boolean =>
    stateOf.get(node) === "member" || stateOf.get(node) === "leaving";
  return staged.flatMap((change): StagedChange[] => {
    if (change.kind !== "join") return isOwning(change.node) ? [change] : [];
    if (stateOf.get(change.node) !== "joining") return [];
    const { replaces } = change;
    const isFree = replaces === undefined || isOwning(replaces);
    return [isFree ? change : { ...change, replaces: undefined }];
  });
}

/** Where only the order of owners differs nothing has to move, and it is changed at once. */
function headedFor(goal: readonly (readonly NodeId[])[], state: RingState): RingState {
  const goalOf = (partition: number): readonly NodeId[] => goal[partition] ?? [];
  const owners = state.owners.map((row, partition) =>
    isSameSet(row, goalOf(partition)) ? goalOf(partition) : row,
  );
  const moves: Move[] = owners.flatMap((row, partition) =>
    isSameSet(row, goalOf(partition)) ? [] : [{ partition, to: goalOf(partition) }],
  );
  return settled({ ...state, owners, moves });
}

/**
 * In each data centre as many owners as the plan has there. A survivor that the plan would move
 * elsewhere stays until the newcomers are filled.
 */
function filledUp(
  row: readonly NodeId[],
  goal: readonly NodeId[],
  dcOf: (node: NodeId) => string | undefined,
): readonly NodeId[] {
  const dcs = new Set([...goal, ...row].map(dcOf));
  return [...dcs].flatMap((dc) => {
    const stay = row.filter((node) => dcOf(node) === dc);
    const goalHere = goal.filter((node) => dcOf(node) === dc);
    const come = goalHere.filter((node) => !row.includes(node));
    return [...stay, ...come].slice(0, Math.max(stay.length, goalHere.length));
  });
}
