/**
 * Changes of membership that are proposed first, looked at together (admin/plan.ts), and then
 * committed in one epoch, or taken back. A node that is staged to join is a member that waits: its
 * peers know it, it owns nothing, has no vote and answers no client.
 */
import { failed } from "../failure.ts";
import type { NodeId } from "../ids.ts";
import { stagedMax } from "../limits.ts";
import type { Candidate, Failed } from "../message.ts";
import { lastNumber } from "../ring/check-ring.ts";
import type { Member, RingState, StagedChange } from "../ring/ring-state.ts";
import { applied, withCandidate } from "./changes.ts";
import { asLeft, settled } from "./reassign.ts";

export function stageJoin(
  state: RingState,
  candidate: Candidate,
  replaces?: NodeId,
): RingState | Failed {
  const waiting = withCandidate(state, candidate, replaces);
  if ("kind" in waiting) return waiting;
  return staged(waiting, { kind: "join", node: lastNumber(waiting.members), replaces });
}

/**
 * A later change of the same node takes the place of the one before. A node that waits to join is
 * let go at once: nothing of it is in force.
 */
export function stage(
  state: RingState,
  change: Exclude<StagedChange, { kind: "join" }>,
): RingState | Failed {
  const { node } = change;
  const isWaiting = state.members.some((one) => one.id === node && one.state === "joining");
  if (isWaiting) return applied(state, [change]);
  const next = staged(state, change);
  if ("kind" in next) return next;
  // Whether it could be made at all, with what is staged already, is said now.
  const trial = applied(next, next.staged);
  return "kind" in trial ? trial : next;
}

/** Makes everything that is staged, in one epoch. */
export function commitStaged(state: RingState): RingState | Failed {
  if (state.staged.length === 0) return state;
  const next = applied(state, state.staged);
  if ("kind" in next) return next;
  return { ...next, epoch: state.epoch + 1, staged: [] };
}

/**
 * Takes back what is staged, and what has not happened yet of what was committed: partitions that
 * have not switched stay with their owners, who was leaving and still owns something stays, and who
 * joined and owns nothing yet leaves: it may keep writes for others, which it hands over first.
 * Weights stay as they were set, and nodes that were struck out stay out.
 */
export function abort(state: RingState): RingState {
  if (state.staged.length === 0 && state.moves.length === 0) return state;
  const owning = new Set(state.owners.flat());
  const coming = new Set(state.moves.flatMap(({ to }) => to));
  const members = state.members.map((member): Member => {
    if (member.state === "joining") return asLeft(member);
    if (member.state === "leaving" && owning.has(member.id)) return { ...member, state: "member" };
    const isNew = member.state === "member" && coming.has(member.id) && !owning.has(member.id);
    return isNew ? { ...member, state: "leaving" } : member;
  });
  return settled({ ...state, epoch: state.epoch + 1, members, moves: [], staged: [] });
}

function staged(state: RingState, change: StagedChange): RingState | Failed {
  const touched = (other: StagedChange): boolean =>
    other.node === change.node ||
    (change.kind === "join" && other.node === change.replaces) ||
    (other.kind === "join" && other.replaces === change.node);
  const replacing = state.staged.find((other) => other.kind === "join" && touched(other));
  if (replacing !== undefined) {
    const message = `node ${replacing.node} waits to take the place of node ${change.node}`;
    return failed("INVALID_ARGUMENT", `${message}; commit or abort that first`);
  }
  const others = state.staged.filter((other) => !touched(other));
  if (others.length >= stagedMax) {
    return failed("OVERLOADED", `${stagedMax} changes are staged; commit or abort them first`);
  }
  return { ...state, epoch: state.epoch + 1, staged: [...others, change] };
}
