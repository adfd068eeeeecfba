/**
 * Asks every member the same question and gathers the answers: what the commands of operators
 * stand on. Who does not answer in time is simply missing from the outcome.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import type { SurveyMessage } from "../message.ts";
import type { LivenessView, RingView } from "../views.ts";

/** So many surveys at a time; they are rare, and each asks every node. */
const surveysMax = 64;

interface Running {
  readonly waiting: Set<NodeId>;
  readonly until: Millis;
  take(from: NodeId, answer: unknown): void;
  done(): void;
}

export interface Survey<Answer> {
  readonly question: object;
  readonly timeoutMs: Millis;
  /** What is no answer to the question counts as none at all. */
  readonly isAnswer: (value: unknown) => value is Answer;
}

export interface SurveyParts {
  readonly out: Out;
  ring(): RingView;
  readonly liveness: LivenessView;
  /** This node's own answer. */
  answer(question: unknown, then: (answer: unknown) => void): void;
}

export class Surveys {
  readonly #parts: SurveyParts;
  readonly #running = new Map<RequestId, Running>();
  #last = 0;

  constructor(parts: SurveyParts) {
    this.#parts = parts;
  }

  /** False when too many run already. */
  ask<Answer>(
    now: Millis,
    { question, timeoutMs, isAnswer }: Survey<Answer>,
    done: (answers: ReadonlyMap<NodeId, Answer>) => void,
  ): boolean {
    if (this.#running.size >= surveysMax) return false;
    const { out, liveness } = this.#parts;
    const ring = this.#parts.ring();
    const present = ring.state.members.filter(({ state }) => state !== "left").map(({ id }) => id);
    const waiting = new Set(present.filter((id) => liveness.isLive(id)));
    const request = ++this.#last;
    const answers = new Map<NodeId, Answer>();
    this.#running.set(request, {
      waiting,
      until: now + timeoutMs,
      take: (from, answer) => {
        if (isAnswer(answer)) answers.set(from, answer);
      },
      done: () => done(answers),
    });
    const text = JSON.stringify(question);
    for (const node of waiting) out.send(node, { kind: "survey", request, question: text });
    return true;
  }

  receive(_now: Millis, from: NodeId, message: SurveyMessage): void {
    if (message.kind === "survey") this.#answer(from, message);
    else {
      const running = this.#running.get(message.request);
      if (running === undefined || !running.waiting.delete(from)) return;
      running.take(from, parsed(message.answer));
      if (running.waiting.size === 0) this.#finish(message.request, running);
    }
  }

  tick(now: Millis): void {
    for (const [request, running] of this.#running) {
      const { waiting } = running;
      for (const node of waiting) if (!this.#parts.liveness.isLive(node)) waiting.delete(node);
      if (waiting.size === 0 || now >= running.until) this.#finish(request, running);
    }
  }

  #answer(from: NodeId, { request, question }: SurveyMessage & { kind: "survey" }): void {
    const asked = parsed(question);
    if (asked === undefined) return;
    this.#parts.answer(asked, (answer) => {
      this.#parts.out.send(from, {
        kind: "survey-reply",
        request,
        answer: JSON.stringify(answer),
      });
    });
  }

  #finish(request: RequestId, running: Running): void {
    this.#running.delete(request);
    running.done();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
