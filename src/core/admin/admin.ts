/**
 * The commands of operators: each takes JSON and answers JSON. What concerns the whole cluster is
 * asked of every live node at that moment (survey.ts); what changes the ring goes through an epoch.
 */
import type { CleanupReport } from "../cleanup/cleanup.ts";
import type { Out } from "../event.ts";
import { failed } from "../failure.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { Command, Result, SurveyMessage } from "../message.ts";
import type { TransferReport } from "../transfer/transfers.ts";
import type { StandingView } from "../views.ts";
import { bucketCommands } from "./buckets.ts";
import { answerCheckpoint, checkpointCommands } from "./checkpoint.ts";
import { EpochWaits } from "./everywhere.ts";
import {
  type Answers,
  type AnyQuestion,
  isAnswerTo,
  isBucket,
  isHexKey,
  isObject,
  questionIn,
  type Repaired,
} from "./forms.ts";
import { type Answer, type Given, type MembershipParts, membershipCommands } from "./membership.ts";
import { countOf } from "./plan.ts";
import { answerQuestion, keyFromHex, timeLeftOf } from "./report.ts";
import { statusOf } from "./status.ts";
import { Surveys } from "./survey.ts";

type AdminCommand = Command & { readonly kind: "admin" };
type RunWhole = (now: Millis, command: AdminCommand, given: Given, answer: Answer) => void;

/** Acts that change something, or make the cluster work for it. */
const changing: ReadonlySet<string> = new Set([
  ...["join", "leave", "remove", "weight", "commit", "abort", "ring-force", "repair"],
  ...["bucket-create", "bucket-set", "checkpoint", "rotate-context-key"],
]);
const auditCharactersMax = 500;
/** A node that has not got an epoch by then is slow to all the world, and not waited for. */
const everywhereMsMax = 1_000;

export interface AdminParts extends Omit<MembershipParts, "sizes"> {
  readonly out: Out;
  readonly r: number;
  readonly w: number;
  readonly standing: StandingView;
  transfers(): readonly TransferReport[];
  cleanup(): CleanupReport;
  /** Compares every partition that this node holds with its other holders, now. */
  repair(now: Millis, done: (outcome: Repaired) => void): void;
}

export class Admin {
  readonly #parts: AdminParts;
  readonly #surveys: Surveys;
  readonly #epochWaits: EpochWaits;
  readonly #commands: Readonly<Record<string, RunWhole>>;
  #now: Millis = 0;

  constructor(parts: AdminParts) {
    this.#parts = parts;
    this.#epochWaits = new EpochWaits(() => parts.ring());
    this.#surveys = new Surveys({
      ...parts,
      ring: () => parts.ring(),
      answer: (asked, then) => {
        const question = questionIn(asked);
        if (question === undefined) then({ failure: "unknown question" });
        else this.#answer(question, then);
      },
    });
    this.#commands = {
      status: (now, command, _given, answer) => this.#status(now, command, answer),
      ring: (_now, _command, _given, answer) => answer(json(parts.ring().state)),
      locate: (_now, _command, given, answer) => answer(this.#locate(given)),
      versions: (now, command, given, answer) => this.#versions(now, command, given, answer),
      hints: (now, command, _given, answer) => this.#hints(now, command, answer),
      repair: (now, command, _given, answer) => this.#repair(now, command, answer),
      sizes: (now, command, _given, answer) => this.#tellSizes(now, command, answer),
      transfers: (now, command, _given, answer) => this.#transfers(now, command, answer),
      cleanup: (now, command, _given, answer) => this.#cleanup(now, command, answer),
      ...membershipCommands({ ...parts, ring: () => parts.ring(), sizes: this.#sizes }),
      ...bucketCommands({
        ...parts,
        ring: () => parts.ring(),
        everywhere: (epoch, done) => this.#everywhere(epoch, done),
      }),
      ...checkpointCommands({
        ring: () => parts.ring(),
        ask: (now, question, deadlineMs, answer, done) =>
          this.#ask(now, question, deadlineMs, answer, done),
      }),
    };
  }

  /** `by` is whoever the edge has let in, for the record of what was changed. */
  request(now: Millis, command: AdminCommand, by: string, reply: Answer): void {
    this.#now = now;
    const answer = this.#recorded(command, by, reply);
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

  /** What changes something is told when it has ended, however it did. */
  #recorded({ name, arguments: detail }: AdminCommand, by: string, reply: Answer): Answer {
    if (!changing.has(name)) return reply;
    return (result) => {
      const outcome = result.kind === "failed" ? result.code : "ok";
      const cut = detail.slice(0, auditCharactersMax);
      this.#parts.out.notice({ kind: "audit", act: name, by, outcome, detail: cut });
      reply(result);
    };
  }

  receive(now: Millis, from: NodeId, message: SurveyMessage): void {
    this.#now = now;
    this.#surveys.receive(now, from, message);
  }

  tick(now: Millis): void {
    this.#now = now;
    this.#surveys.tick(now);
    this.#epochWaits.tick();
  }

  #everywhere(epoch: number, done: () => void): void {
    const question = { ask: "epoch", epoch };
    const survey = { question, timeoutMs: everywhereMsMax, isAnswer: isAnswerTo.epoch };
    if (!this.#surveys.ask(this.#now, survey, () => done())) done();
  }

  #status(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    const { r, w, liveness } = this.#parts;
    this.#ask(now, { ask: "state" }, deadlineMs, answer, (reports) => {
      const { state } = this.#parts.ring();
      const isLive = (node: NodeId): boolean => liveness.isLive(node);
      answer(json(statusOf({ state, r, w, reports, isLive })));
    });
  }

  #hints(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    this.#ask(now, { ask: "state" }, deadlineMs, answer, (reports) => {
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
    const question = { ask: "versions", ...key.given } as const;
    this.#ask(now, question, deadlineMs, answer, (reports) => {
      const owners = this.#parts.ring().owners(partition);
      const replicas = [...reports]
        .map(([node, report]) => ({ node, isOwner: owners.includes(node), ...report }))
        .sort((a, b) => Number(b.isOwner) - Number(a.isOwner) || a.node - b.node);
      answer(json({ partition, owners, replicas }));
    });
  }

  #repair(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    this.#ask(now, { ask: "repair" }, deadlineMs, answer, (reports) => {
      const nodes = [...reports].map(([node, repaired]) => ({
        node,
        ...repaired,
      }));
      answer(json({ nodes }));
    });
  }

  #transfers(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    this.#ask(now, { ask: "transfers" }, deadlineMs, answer, (reports) => {
      const transfers = [...reports.values()].flatMap((report) => report.transfers);
      const lefts = [...reports.values()].map((report) => timeLeftOf(report.transfers));
      const timeLeftMs = lefts.includes(null) ? null : Math.max(0, ...lefts.map(Number));
      answer(json({ moves: this.#parts.ring().state.moves.length, timeLeftMs, transfers }));
    });
  }

  #cleanup(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    this.#ask(now, { ask: "cleanup" }, deadlineMs, answer, (reports) => {
      const nodes = [...reports].map(([node, report]) => ({ node, ...report }));
      answer(json({ nodes: nodes.sort((a, b) => a.node - b.node) }));
    });
  }

  #tellSizes(now: Millis, { deadlineMs }: AdminCommand, answer: Answer): void {
    this.#ask(now, { ask: "state" }, deadlineMs, answer, (reports) => {
      const nodes = [...reports].map(([node, { bytes }]) => ({ node, bytes }));
      answer(json({ nodes: nodes.sort((a, b) => a.node - b.node) }));
    });
  }

  /** A copy of a partition as an owner has it, on the average of all that it owns. */
  #sizes: MembershipParts["sizes"] = (now, timeoutMs, answer, done) => {
    this.#ask(now, { ask: "state" }, timeoutMs, answer, (reports) => {
      const ring = this.#parts.ring();
      const owned = countOf(ring.state.owners);
      let filling = 0;
      for (const { rebuilding } of reports.values()) filling += rebuilding;
      const bytesOf = (partition: Partition): number | undefined => {
        const told = ring.owners(partition).flatMap((node) => {
          const bytes = reports.get(node)?.bytes;
          return bytes === undefined ? [] : [bytes / Math.max(1, owned.get(node) ?? 0)];
        });
        return told.length === 0 ? undefined : Math.max(...told);
      };
      done({ bytesOf, filling });
    });
  };

  #ask<Ask extends keyof Answers>(
    now: Millis,
    question: AnyQuestion & { readonly ask: Ask },
    deadlineMs: Millis,
    answer: Answer,
    done: (reports: ReadonlyMap<NodeId, Answers[Ask]>) => void,
  ): void {
    const { ask }: { readonly ask: Ask } = question;
    const isAnswer: (value: unknown) => value is Answers[Ask] = isAnswerTo[ask];
    const isAsked = this.#surveys.ask(
      now,
      { question, timeoutMs: deadlineMs * 0.8, isAnswer },
      done,
    );
    if (!isAsked) answer(failed("OVERLOADED", "too many operators' commands run; try again"));
  }

  #answer(question: AnyQuestion, then: (answer: unknown) => void): void {
    if (question.ask === "repair") this.#parts.repair(this.#now, then);
    else if (question.ask === "cleanup") then(this.#parts.cleanup());
    else if (question.ask === "checkpoint") answerCheckpoint(this.#parts, question, then);
    else if (question.ask === "epoch") this.#epochWaits.ask(question.epoch, then);
    else answerQuestion({ ...this.#parts, ring: () => this.#parts.ring() }, question, then);
  }
}

function parsed(text: string): Given | undefined {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A key as operators name it, and the same as nodes ask each other for it. */
function keyOfArguments({ bucket = "", key }: Given) {
  if (!isBucket(bucket) || !isHexKey(key)) return undefined;
  return { ...keyFromHex(bucket, key), given: { bucket, key } };
}

function json(value: unknown): Result {
  return { kind: "answer", json: JSON.stringify(value) };
}
