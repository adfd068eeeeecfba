/** What requests in flight have in common: what they may use, and what their table asks of them. */
import type { Out } from "../event.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import { hedgeOneIn, requestsMax } from "../limits.ts";
import type { ReplicaMessage, Result } from "../message.ts";
import type { Random } from "../random.ts";
import type { LivenessView, RingView, StandingView } from "../views.ts";
import type { Hedges } from "./hedges.ts";
import type { DataCommand } from "./validate.ts";

export type Answer = (result: Result) => void;

export interface QuorumTuning {
  /** A read asks one replica more when an answer takes so many times longer than usual … */
  readonly hedgeFactor: number;
  /** … and at least so long. */
  readonly hedgeMsMin: Millis;
  readonly hedgeOneIn: number;
  /** A replica that has not answered after so long is given up for this request. */
  readonly missAfterMs: Millis;
  /** A replica that has only just started is asked again after so long. */
  readonly startingMs: Millis;
  /** After success a copy that is not acknowledged for so long becomes a hint. */
  readonly hintAfterMs: Millis;
  /** An owner in another data centre that was to pass a write on is given up after so long. */
  readonly relayAfterMs: Millis;
  /** A node that was to coordinate in our stead is given up after so long. */
  readonly forwardAfterMs: Millis;
  /** Requests of clients not answered yet. */
  readonly requestsMax: number;
  /** Answered writes that still wait for a copy; beyond it the oldest become hints at once. */
  readonly tailsMax: number;
}

export const quorumDefaults: QuorumTuning = {
  hedgeFactor: 3,
  hedgeMsMin: 2,
  hedgeOneIn,
  missAfterMs: 1_000,
  startingMs: 100,
  hintAfterMs: 2_000,
  relayAfterMs: 4_000,
  forwardAfterMs: 1_500,
  requestsMax,
  tailsMax: 8_192,
};

export interface CoordinatorParts {
  readonly self: NodeId;
  readonly out: Out;
  ring(): RingView;
  readonly liveness: LivenessView;
  readonly standing: StandingView;
  readonly random: Random;
  /** When this process started, and when that of another did as last heard. */
  readonly started: Millis;
  startedOf(node: NodeId): Millis | undefined;
  /** Quorums of requests that name none. */
  readonly r: number;
  readonly w: number;
  readonly tuning?: QuorumTuning;
}

/** The coordinator's parts as each of its requests sees them. */
export interface FlightParts extends CoordinatorParts {
  readonly tuning: QuorumTuning;
  readonly hedges: Hedges;
  readonly table: Table;
}

/** What a request in flight tells the table that holds it. */
export interface Table {
  /** The client has its answer; what remains is repair. */
  answered(): void;
  /** Nothing is waited for any more. */
  over(id: RequestId): void;
  /** Takes the command over, at this node and nowhere else. */
  coordinate(now: Millis, command: DataCommand, answer: Answer): void;
}

/** One request in flight: an explicit state machine, as the paper asks for (section 5). */
export interface Flight {
  readonly id: RequestId;
  readonly isAnswered: boolean;
  readonly isOver: boolean;
  /** Returns when it wants to be woken. */
  start(now: Millis): Millis;
  receive(now: Millis, from: NodeId, message: ReplicaMessage): void;
  /** Checks its time-outs and returns when it wants to be woken again. */
  wake(now: Millis): Millis;
  /** Room is short: finish at once what is left to do after the answer. */
  hurry(now: Millis): void;
}
