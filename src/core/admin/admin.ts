/**
 * The commands of operators: each takes JSON and answers JSON. What concerns the whole cluster is
 * asked of every live node at that moment (survey.ts); what changes the ring goes through an epoch.
 */
import type { Out } from "../event.ts";
import { failed } from "../failure.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { Candidate, Command, Failed, Result, SurveyMessage } from "../message.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { LivenessView, RingView, StandingView } from "../views.ts";
import { bucketCommands } from "./buckets.ts";
import {
  answerQuestion,
  keyFromHex,
  type Question,
  type StateReport,
  type VersionsReport,
} from "./report.ts";
import { statusOf } from "./status.ts";
import { Surveys } from "./survey.ts";

type AdminCommand = Command & { readonly kind: "admin" };
type Answer = (result: Result) => void;
type Given = Readonly<Record<string, unknown>>;
type Run = (now: Millis, command: AdminCommand, given: Given, answer: Answer) => void;
/** A new ring from the present one, or why not. */
export type RingChange = (state: RingState) => RingState | Failed;

export interface Repaired {
  readonly partitions: number;
  readonly sent: number;
  readonly received: number;
}

export interface AdminParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly r: number;
  readonly w: number;
  ring(): RingView;
  readonly liveness: LivenessView;
  readonly standing: StandingView;
  admit(state: RingState, candidate: Candidate): RingState | Failed;
  propose(
    now: Millis,
    change: RingChange,
    done: (outcome: RingState | Failed) => void,
    timeoutMs: Millis,
  ): void;
  /** Compares every partition that this node holds with its other holders, now. */
  repair(now: Millis, done: (outcome: Repaired) => void): void;
}

export class Admin {
  readonly #parts: AdminParts;
  readonly #surveys: Surveys;
  readonly #commands: Readonly<Record<string, Run>>;
  #now: Millis = 0;

  constructor(parts: AdminParts) {
    this.#parts = parts;
    this.#surveys = new Surveys({
      ...parts,
      ring: () => parts.ring(),
      answer: (question, then) => this.#answer(question as Question | { ask: "repair" }, then),
    });
    this.#commands = {
      status: (now, command, _given, answer) => this.#status(now, command, answer),
      ring: (_now, _command, _given, answer) => answer(json(parts.ring().state)),
      locate: (_now, _command, given, answer) => answer(this.#locate(given)),
      versions: (now, command, given, answer) => this.#versions(now, command, given, answer),
      hints: (now, command, _given, answer) => this.#hints(now, command, answer),
      repair: (now, command, _given, answer) => this.#repair(now, command, answer),
      join: (now, command, given, answer) => this.#join(now, command, given, answer),
      ...bucketCommands({ ...parts, ring: () => parts.ring() }),
    };
  }

  request(now: Millis, command: AdminCommand, answer: Answer): void {
    this.#now = now;
    const given = parsed(command.arguments);
    if (given === undefined) {
      answer(failed("INVALID_ARGUMENT", `the arguments of ${command.name} are not a JSON object`));
      return;
    }
    const run = Object.hasOwn(this.#commands, command.name)
      ? this.#commands[command.name]
      : undefined;
    if (run !== undefined) run(now, command, given, answer);
    else answer(failed("INVALID_ARGUMENT", `there is no command ${JSON.stringify(command.name)}`));
  }

  receive(now: Millis, from: NodeId, message: SurveyMessage): void {
    this.#now = now;
    this.#surveys.receive(now, from, message);
  }

  tick(now: Millis): void {
    this.#now = now;
    this.#surveys.tick(now);
  }

  #status(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    const { r, w, liveness } = this.#parts;
    this.#ask(now, { ask: "state" }, deadlineMs, answer, (answers) => {
      const reports = answers as ReadonlyMap<NodeId, StateReport>;
      const { state } = this.#parts.ring();
      const isLive = (node: NodeId): boolean => liveness.isLive(node);
      answer(json(statusOf({ state, r, w, reports, isLive })));
    });
  }

  #hints(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    this.#ask(now, { ask: "state" }, deadlineMs, answer, (answers) => {
      const reports = answers as ReadonlyMap<NodeId, StateReport>;
      const hints = [...reports].flatMap(([holder, report]) =>
        report.hints.map(({ target, keys }) => ({ holder, target, keys })),
      );
      answer(json({ hints }));
    });
  }

  #locate(given: Given): Result {
    const key = keyOfArguments(given);
    if (key === undefined) return failed("INVALID_ARGUMENT", "locate needs a key in hex");
    const ring = this.#parts.ring();
    const partition = ring.partitionOf(key);
    const place = (id: NodeId) => ({
      id,
      address: ring.state.members.find((member) => member.id === id)?.address ?? "",
      live: this.#parts.liveness.isLive(id),
    });
    const owners = ring.owners(partition);
    const rest = ring.preference(partition).filter((id) => !owners.includes(id));
    const token = [key.high, key.low].map((word) => word.toString(16).padStart(8, "0")).join("");
    return json({
      token,
      partition,
      partitions: ring.partitions,
      owners: owners.map(place),
      standIns: rest.map(place),
      future: ring.future(partition)?.map(place) ?? null,
    });
  }

  #versions(now: Millis, { deadlineMs }: AdminCommand, given: Given, answer: Answer): void {
    const key = keyOfArguments(given);
    if (key === undefined) {
      answer(failed("INVALID_ARGUMENT", "versions needs a key in hex"));
      return;
    }
    const partition = this.#parts.ring().partitionOf(key);
    const question = { ask: "versions", bucket: given["bucket"] ?? "", key: given["key"] };
    this.#ask(now, question, deadlineMs, answer, (answers) => {
      const reports = answers as ReadonlyMap<NodeId, VersionsReport>;
      const owners = this.#parts.ring().owners(partition);
      const replicas = [...reports]
        .map(([node, report]) => ({ node, isOwner: owners.includes(node), ...report }))
        .sort((a, b) => Number(b.isOwner) - Number(a.isOwner) || a.node - b.node);
      answer(json({ partition, owners, replicas }));
    });
  }

  #repair(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    this.#ask(now, { ask: "repair" }, deadlineMs, answer, (answers) => {
      const nodes = [...(answers as ReadonlyMap<NodeId, Repaired>)].map(([node, repaired]) => ({
        node,
        ...repaired,
      }));
      answer(json({ nodes }));
    });
  }

  /** Lets a node in: an epoch that knows it, and the moves that will give it its share. */
  #join(now: Millis, { deadlineMs }: AdminCommand, given: Given, answer: Answer): void {
    const candidate = candidateOf(given);
    if (candidate === undefined) {
      answer(failed("INVALID_ARGUMENT", "join needs address, dc, rack and weight"));
      return;
    }
    const change: RingChange = (state) =>
      this.#isWaitedFor(state, candidate) ? state : this.#parts.admit(state, candidate);
    const done = (outcome: RingState | Failed): void => {
      if ("kind" in outcome) {
        answer(outcome);
        return;
      }
      const member = outcome.members.find(
        ({ address, state }) => address === candidate.address && state === "member",
      );
      answer(json({ id: member?.id, ring: outcome }));
    };
    this.#parts.propose(now, change, done, deadlineMs);
  }

  /** It was let in before, and the answer did not reach it: it owns nothing, and never spoke. */
  #isWaitedFor(state: RingState, { address }: Candidate): boolean {
    const known = state.members.find((member) => member.address === address);
    if (known === undefined || known.state !== "member") return false;
    const owns = state.owners.some((owners) => owners.includes(known.id));
    return !owns && !this.#parts.liveness.isLive(known.id);
  }

  #ask(
    now: Millis,
    question: object,
    deadlineMs: Millis,
    answer: Answer,
    done: (answers: ReadonlyMap<NodeId, unknown>) => void,
  ): void {
    const isAsked = this.#surveys.ask(now, question, deadlineMs * 0.8, done);
    if (!isAsked) answer(failed("OVERLOADED", "too many operators' commands run; try again"));
  }

  #answer(question: Question | { ask: "repair" }, then: (answer: unknown) => void): void {
    if (question.ask === "repair") this.#parts.repair(this.#now, then);
    else if (question.ask === "state" || question.ask === "versions") {
      answerQuestion({ ...this.#parts, ring: () => this.#parts.ring() }, question, then);
    } else then({ failure: "unknown question" });
  }
}

function parsed(text: string): Given | undefined {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Given) : undefined;
  } catch {
    return undefined;
  }
}

function keyOfArguments({ bucket, key }: Given) {
  const isHex = typeof key === "string" && /^([0-9a-f]{2})+$/.test(key);
  return isHex ? keyFromHex(typeof bucket === "string" ? bucket : "", key) : undefined;
}

function candidateOf({ address, dc, rack, weight }: Given): Candidate | undefined {
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
