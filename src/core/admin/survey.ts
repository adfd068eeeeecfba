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
  readonly answers: Map<NodeId, unknown>;
  readonly until: Millis;
  readonly done: (answers: ReadonlyMap<NodeId, unknown>) => void;
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
  ask(
    now: Millis,
    question: object,
    timeoutMs: Millis,
    done: (answers: ReadonlyMap<NodeId, unknown>) => void,
  ): boolean {
    if (this.#running.size >= surveysMax) return false;
    const { out, liveness } = this.#parts;
    const ring = this.#parts.ring();
    const present = ring.state.members.filter(({ state }) => state !== "left").map(({ id }) => id);
    const waiting = new Set(present.filter((id) => liveness.isLive(id)));
    const request = ++this.#last;
    this.#running.set(request, { waiting, answers: new Map(), until: now + timeoutMs, done });
    const text = JSON.stringify(question);
    for (const node of waiting) out.send(node, { kind: "survey", request, question: text });
    return true;
  }

  receive(_now: Millis, from: NodeId, message: SurveyMessage): void {
    if (message.kind === "survey") this.#answer(from, message);
    else {
      const running = this.#running.get(message.request);
      if (running === undefined || !running.waiting.delete(from)) return;
      const answer = parsed(message.answer);
      if (answer !== undefined) running.answers.set(from, answer);
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
    running.done(running.answers);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
