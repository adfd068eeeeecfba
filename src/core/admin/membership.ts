/**
 * The operators' commands that change who belongs to the cluster: looked at first (plan), made by
 * an epoch, taken back (abort), or forced where no majority is left. Each answers with the epoch
 * in which it is in force.
 */
import { failed } from "../failure.ts";
import type { Millis, NodeId } from "../ids.ts";
import { stagedMax } from "../limits.ts";
import { admit, applied } from "../members/changes.ts";
import { votersOf } from "../members/proposer.ts";
import { abort, commitStaged, stage, stageJoin } from "../members/staging.ts";
import type { Candidate, Failed, Result } from "../message.ts";
import type { RingState, StagedChange } from "../ring/ring-state.ts";
import type { LivenessView, RingView } from "../views.ts";
import { type PlanInput, planIdOf, planOf } from "./plan.ts";

export type Given = Readonly<Record<string, unknown>>;
export type Answer = (result: Result) => void;
export type Run = (
  now: Millis,
  command: { readonly deadlineMs: Millis },
  given: Given,
  answer: Answer,
) => void;
/** A new ring from the present one, or why not. */
export type RingChange = (state: RingState) => RingState | Failed;
type OperatorsChange = Exclude<StagedChange, { readonly kind: "join" }>;

export interface MembershipParts {
  readonly self: NodeId;
  readonly liveness: LivenessView;
  ring(): RingView;
  propose(
    now: Millis,
    change: RingChange,
    done: (outcome: RingState | Failed) => void,
    timeoutMs: Millis,
  ): void;
  force(lost: readonly NodeId[], done: (outcome: RingState | Failed) => void): void;
  /** This node forgot how it voted, and waits for others. */
  hasForgottenVotes(): boolean;
  /** Asks all nodes how much they hold. */
  sizes(
    now: Millis,
    timeoutMs: Millis,
    answer: Answer,
    done: (sizes: Pick<PlanInput, "bytesOf" | "filling">) => void,
  ): void;
}

export function membershipCommands(parts: MembershipParts): Readonly<Record<string, Run>> {
  const changing =
    (kind: OperatorsChange["kind"]): Run =>
    (now, { deadlineMs }, given, answer) => {
      const change = changeIn({ ...given, kind }, parts.ring().state);
      if (change.kind === "failed") answer(change);
      else {
        const isStaged = given["stage"] === true;
        const make: RingChange = (state) =>
          isStaged ? stage(state, change) : applied(state, [change]);
        parts.propose(now, make, (outcome) => answer(answerOf(outcome)), deadlineMs);
      }
    };
  return {
    join: (now, command, given, answer) => join(parts, { now, ...command }, given, answer),
    plan: (now, command, given, answer) => plan(parts, { now, ...command }, given, answer),
    leave: changing("leave"),
    remove: changing("remove"),
    weight: changing("weight"),
    commit: (now, { deadlineMs }, given, answer) => {
      const change: RingChange = (state) => commit(state, given["plan"]);
      parts.propose(now, change, (outcome) => answer(answerOf(outcome)), deadlineMs);
    },
    abort: (now, { deadlineMs }, _given, answer) => {
      let isAnything = false;
      const change: RingChange = (state) => {
        const next = abort(state);
        isAnything ||= next !== state;
        return next;
      };
      const done = (outcome: RingState | Failed): void =>
        answer(isAnything || "kind" in outcome ? answerOf(outcome) : nothingToAbort);
      parts.propose(now, change, done, deadlineMs);
    },
    "ring-force": (_now, _command, given, answer) => force(parts, given, answer),
  };
}

const nothingToAbort = failed("NOTHING_STAGED", "nothing is staged or on the way to take back");

interface Times {
  readonly now: Millis;
  readonly deadlineMs: Millis;
}

/** Lets a node in: an epoch that knows it, and the moves that will give it its share. */
function join(
  parts: MembershipParts,
  { now, deadlineMs }: Times,
  given: Given,
  answer: Answer,
): void {
  const candidate = candidateIn(given);
  if (candidate === undefined) {
    answer(failed("INVALID_ARGUMENT", "join needs address, dc, rack and weight"));
    return;
  }
  const { address } = candidate;
  const isLive = (node: NodeId): boolean => parts.liveness.isLive(node);
  const change: RingChange = (state) => {
    const holders = state.members.filter((one) => one.address === address && one.state !== "left");
    const owning = new Set(state.owners.flat());
    // Let in before, and the answer did not reach it: it owns nothing, and never spoke.
    const isWaited = (one: RingState["members"][number]): boolean =>
      one.state !== "leaving" && !owning.has(one.id) && !isLive(one.id);
    if (holders.some(isWaited)) return state;
    const [holder] = holders;
    if (holder !== undefined && (holders.length > 1 || isLive(holder.id))) {
      const message = `${address} is the address of node ${holders.at(-1)?.id}, which is live`;
      return failed("NODE_ID_IN_USE", message);
    }
    const make = given["stage"] === true ? stageJoin : admit;
    return make(state, candidate, holder?.id);
  };
  const done = (outcome: RingState | Failed): void => {
    if ("kind" in outcome) answer(outcome);
    else {
      const isIt = ({ address: at, state }: RingState["members"][number]): boolean =>
        at === address && (state === "member" || state === "joining");
      answer(json({ id: outcome.members.findLast(isIt)?.id, ring: outcome }));
    }
  };
  parts.propose(now, change, done, deadlineMs);
}

/** Of what is staged, or of the changes that are named, as if nothing else were. */
function plan(
  parts: MembershipParts,
  { now, deadlineMs }: Times,
  given: Given,
  answer: Answer,
): void {
  const named = given["changes"];
  const { state } = parts.ring();
  const changes = Array.isArray(named)
    ? named.slice(0, stagedMax).map((one: unknown) => changeIn((one ?? {}) as Given, state))
    : state.staged;
  const wrong = changes.find((change) => change.kind === "failed");
  if (wrong?.kind === "failed") {
    answer(wrong);
    return;
  }
  parts.sizes(now, deadlineMs, answer, (sizes) => {
    const isLive = (node: NodeId): boolean => parts.liveness.isLive(node);
    const made = changes.filter((change) => change.kind !== "failed");
    const found = planOf({ state: parts.ring().state, changes: made, ...sizes, isLive });
    answer("kind" in found ? found : json(found));
  });
}

function commit(state: RingState, id: unknown): RingState | Failed {
  if (state.staged.length === 0) {
    return failed("NOTHING_STAGED", "no change waits to be committed");
  }
  const next = commitStaged(state);
  if ("kind" in next || id === undefined) return next;
  const now = planIdOf(next);
  if (now === id) return next;
  return failed("PLAN_CHANGED", `the plan is ${now} by now, not ${String(id)}`);
}

/** Never where members could agree: what they decide meanwhile would be lost. */
function force(parts: MembershipParts, given: Given, answer: Answer): void {
  const { state } = parts.ring();
  const list: unknown = given["lost"];
  const lost = Array.isArray(list) ? list.map((name: unknown) => nodeIn(name, state)) : [];
  const nodes = lost.filter((node) => node !== undefined);
  if (!Array.isArray(list) || nodes.length < lost.length) {
    answer(failed("NODE_UNKNOWN", "name the nodes that are lost by their numbers or addresses"));
    return;
  }
  const voters = votersOf(state);
  const live = voters.filter((node) => parts.liveness.isLive(node) && !nodes.includes(node));
  if (live.length > voters.length / 2 && !parts.hasForgottenVotes()) {
    const message = `nodes ${live.join(", ")} are live, and most of those that vote`;
    answer(failed("MAJORITY_LIVE", message));
    return;
  }
  if (nodes.includes(parts.self)) {
    answer(failed("INVALID_ARGUMENT", `node ${parts.self} is asked, so it is not lost`));
    return;
  }
  parts.force(nodes, (outcome) => answer(answerOf(outcome)));
}

function answerOf(outcome: RingState | Failed): Result {
  if ("kind" in outcome) return outcome;
  const { epoch, generation, moves, staged } = outcome;
  return json({ epoch, generation, moves: moves.length, staged: staged.length });
}

function changeIn({ kind, node: name, weight }: Given, state: RingState): OperatorsChange | Failed {
  const node = nodeIn(name, state);
  if (node === undefined) {
    // Anything else may be too deep to be printed.
    const isName = typeof name === "string" || typeof name === "number";
    const said = isName ? JSON.stringify(name).slice(0, 64) : "nobody";
    return failed("NODE_UNKNOWN", `${said} is no member of the cluster`);
  }
  if (kind === "leave" || kind === "remove") return { kind, node };
  if (kind !== "weight") return failed("INVALID_ARGUMENT", "a change is leave, remove or weight");
  if (typeof weight === "number") return { kind, node, weight };
  return failed("INVALID_ARGUMENT", "a weight is a number");
}

/** By number or by address. */
function nodeIn(name: unknown, { members }: RingState): NodeId | undefined {
  if (typeof name !== "number" && typeof name !== "string") return undefined;
  const isNumber = typeof name === "number" || /^\d{1,9}$/.test(name);
  const found = members.findLast(({ id, address, state }) =>
    isNumber ? id === Number(name) : address === name && state !== "left",
  );
  return found?.id;
}

function candidateIn({ address, dc, rack, weight }: Given): Candidate | undefined {
  const isWhole =
    typeof address === "string" &&
    typeof dc === "string" &&
    typeof rack === "string" &&
    typeof weight === "number" &&
    weight > 0 &&
    weight <= 100;
  return isWhole ? { address, dc, rack, weight } : undefined;
}

function json(value: unknown): Result {
  return { kind: "answer", json: JSON.stringify(value) };
}
