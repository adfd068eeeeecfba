/**
 * The requests that this node coordinates: their table, its ceiling, and their time-outs. A client
 * may ask any node. Reads are coordinated by whoever is asked; writes by an owner of the key, to
 * which a node that owns no copy passes them on.
 */
import { failed } from "../failure.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import type { ReplicaMessage } from "../message.ts";
import { NumberTable } from "../number-table.ts";
import { Forward } from "./forward.ts";
import { Get } from "./get.ts";
import { Hedges } from "./hedges.ts";
import {
  type Answer,
  type CoordinatorParts,
  type Flight,
  type FlightParts,
  quorumDefaults,
} from "./parts.ts";
import { Put, type PutCommand } from "./put.ts";
import { Relay, type RelayedWrite } from "./relay.ts";
import { Scan } from "./scan.ts";
import { type DataCommand, refusalOf } from "./validate.ts";
import { Wheel } from "./wheel.ts";

/** Starts of so many requests are remembered, to time answers that come after the end. */
const startsKept = 4_096;
/** How soon a client that was turned away may come back: from, and up to so much later. */
const retryMsMin = 20;
const retryMsSpread = 80;

export class Coordinator {
  readonly #parts: FlightParts;
  readonly #flights = new NumberTable<Flight>();
  /** All flights of some moment, the oldest first, and how many of them were looked at since. */
  #line: readonly RequestId[] = [];
  #looked = 0;
  /** By number: what is over must not stay in memory until its slot comes. */
  readonly #wheel = new Wheel<RequestId>();
  readonly #starts = new Float64Array(startsKept);
  #unanswered = 0;
  #lastId: RequestId;
  #now: Millis = 0;
  readonly #wake = (id: RequestId): void => this.#wakeOne(id);

  constructor(parts: CoordinatorParts) {
    const tuning = parts.tuning ?? quorumDefaults;
    // Not from 0: an acknowledgement to an earlier process of this node must find no request.
    this.#lastId = parts.random.below(2 ** 30);
    this.#parts = {
      ...parts,
      ring: () => parts.ring(),
      startedOf: (node) => parts.startedOf(node),
      tuning,
      hedges: new Hedges(tuning.hedgeOneIn),
      table: {
        answered: () => this.#answered(),
        over: (id) => void this.#flights.take(id),
        coordinate: (now, command, answer) => this.#launch(now, this.#own(command, answer)),
      },
    };
  }

  /** `answer` is called once, perhaps before this returns. */
  request(now: Millis, command: DataCommand, answer: Answer): void {
    this.#begin(now, command, answer, true);
  }

  receive(now: Millis, from: NodeId, message: ReplicaMessage): void {
    this.#advance(now);
    if (message.kind === "forward") {
      this.#coordinateFor(now, from, message);
      return;
    }
    if (message.kind === "write") {
      if (message.deadlineMs > 0) this.#pass(now, from, message);
      return;
    }
    const flight = this.#flights.get(message.request);
    if (flight !== undefined) flight.receive(now, from, message);
    else if (message.kind === "read-reply") this.#timeLate(now, from, message.request);
  }

  tick(now: Millis): void {
    this.#advance(now);
  }

  /** Requests of clients that have no answer yet. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Those, and requests that still wait for replicas after their answer. */
  get inFlight(): number {
    return this.#flights.size;
  }

  #begin(now: Millis, command: DataCommand, answer: Answer, mayForward: boolean): void {
    this.#advance(now);
    const { state, partitions } = this.#parts.ring();
    const refusal = refusalOf(command, { n: state.n, partitions });
    if (refusal !== undefined) answer(refusal);
    else if (this.#unanswered >= this.#parts.tuning.requestsMax) answer(this.#overloaded());
    else if (command.kind === "put" && mayForward && !this.#mayCoordinate(command)) {
      this.#launch(now, new Forward(this.#parts, this.#nextId(), command, answer));
    } else this.#launch(now, this.#own(command, answer));
  }

  #own(command: DataCommand, answer: Answer): Flight {
    const id = this.#nextId();
    switch (command.kind) {
      case "get":
        return new Get(this.#parts, id, command, answer);
      case "put":
        return new Put(this.#parts, id, command, answer);
      default:
        return new Scan(this.#parts, id, command, answer);
    }
  }

  #launch(now: Millis, flight: Flight): void {
    if (!flight.isAnswered) this.#unanswered += 1;
    this.#flights.add(flight.id, flight);
    this.#starts[flight.id % startsKept] = now;
    const wakeAt = flight.start(now);
    if (!flight.isOver) this.#wheel.add(flight.id, wakeAt);
  }

  /** A write from another data centre, to be passed on in this one. */
  #pass(now: Millis, from: NodeId, message: RelayedWrite): void {
    this.#launch(now, new Relay(this.#parts, this.#nextId(), from, message));
    this.#hurry();
  }

  /**
   * A present owner that holds what it should. One that is rebuilding could write too, but would
   * not see siblings, nor that an operation was done before.
   */
  #mayCoordinate({ key }: PutCommand): boolean {
    const ring = this.#parts.ring();
    const partition = ring.partitionOf(key);
    const isOwner = ring.owners(partition).includes(ring.self);
    return isOwner && this.#parts.standing.of(partition) !== "rebuilding";
  }

  /**
   * From a node that owns no copy: coordinated here, whatever this node owns, never passed on. What
   * an earlier process of that node sent may be late by more than a key remembers operations for,
   * and nobody waits for it.
   */
  #coordinateFor(
    now: Millis,
    from: NodeId,
    { request, started, command }: ReplicaMessage & { readonly kind: "forward" },
  ): void {
    if (started < (this.#parts.startedOf(from) ?? 0)) return;
    const answer: Answer = (result) => {
      this.#parts.out.send(from, { kind: "forward-reply", request, result });
    };
    if (command.kind !== "admin") this.#begin(now, command, answer, false);
    else answer(failed("INVALID_ARGUMENT", "an operator's command is not forwarded"));
  }

  #overloaded() {
    const { random, tuning } = this.#parts;
    const why = `this node coordinates ${tuning.requestsMax} requests already`;
    return failed("OVERLOADED", why, { retryAfterMs: retryMsMin + random.below(retryMsSpread) });
  }

  /** What is answered but still at work for replicas has a ceiling too: the oldest must hurry. */
  #answered(): void {
    this.#unanswered -= 1;
    this.#hurry();
  }

  #hurry(): void {
    if (this.#flights.size - this.#unanswered <= this.#parts.tuning.tailsMax) return;
    this.#oldestAnswered()?.hurry(this.#now);
  }

  /** Looks at what is under way alone: from its number on, millions since may be over. */
  #oldestAnswered(): Flight | undefined {
    for (let isNew = false; ; isNew = true) {
      while (this.#looked < this.#line.length) {
        const flight = this.#flights.get(this.#line[this.#looked++] ?? 0);
        if (flight?.isAnswered) return flight;
      }
      if (isNew) return undefined;
      this.#line = this.#flights.numbers();
      this.#looked = 0;
    }
  }

  #advance(now: Millis): void {
    this.#now = now;
    this.#wheel.advance(now, this.#wake);
  }

  #wakeOne(id: RequestId): void {
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    const wakeAt = flight.wake(this.#now);
    if (!flight.isOver) this.#wheel.add(flight.id, wakeAt);
  }

  /** The request is over, but the peer lives, and took so long. */
  #timeLate(now: Millis, from: NodeId, request: RequestId): void {
    const isRemembered = request > this.#lastId - startsKept && request <= this.#lastId;
    const startedAt = this.#starts[request % startsKept];
    if (!isRemembered || startedAt === undefined || from === this.#parts.self) return;
    this.#parts.liveness.answered(from, now, now - startedAt);
  }

  #nextId(): RequestId {
    this.#lastId += 1;
    return this.#lastId;
  }
}
