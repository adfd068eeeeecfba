/**
 * The edge towards clients: requests in, results out. Here request numbers of a connection become
 * numbers of the node, contexts are opened and sealed, and every connection has its limits: so many
 * requests at a time, so much that it has not read. The core sees none of that.
 */
import { type CausalContext, emptyContext } from "../core/clock/versions.ts";
import type { Seen } from "../core/context-token.ts";
import { failed } from "../core/failure.ts";
import type { NodeId, RequestId } from "../core/ids.ts";
import type { Key } from "../core/key.ts";
import type { Command, Failed, Message, Result } from "../core/message.ts";
import { NumberTable } from "../core/number-table.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { type Principal, refusalOfCommand } from "./access.ts";
import { type ClientLimits, ClientLink, type Sent } from "./client-link.ts";
import type { Contexts } from "./contexts.ts";
import type { ClientVerdict, Knock, Pass } from "./gate.ts";
import type { KeepAlive } from "./keep-alive.ts";
import type { Admission, Incoming } from "./listener.ts";
import { type Log, seldom } from "./log.ts";
import type { Turn } from "./outbox.ts";
import type { Headers } from "./sockets.ts";

type AdminCommand = Command & { readonly kind: "admin" };
type PutCommand = Command & { readonly kind: "put" };
type Found = Result & { readonly kind: "found" };
type Stored = Result & { readonly kind: "stored" };

/** Who may be a client, and who still may. */
export interface ClientGate {
  judgeClient(knock: Knock): ClientVerdict;
  judgeAgain(pass: Pass): Pass | undefined;
}

export interface ClientsParts {
  readonly ring: RingState;
  readonly contexts: Contexts;
  readonly turn: Turn;
  readonly keepAlive: KeepAlive;
  readonly log: Log;
  readonly limits: ClientLimits;
  readonly gate: ClientGate;
  /** `by` says on whose behalf, for the record. */
  submit(id: RequestId, command: Command, by: string): void;
  /** Answers a command that is the runtime's own (join); false leaves it to the core. */
  answerOwn(command: AdminCommand, by: string, answer: (result: Result) => void): boolean;
}

/** Who waits for a result: a connection, or this process itself. */
type Waiting =
  | {
      readonly link: ClientLink;
      readonly request: RequestId;
      readonly key: Key | undefined;
    }
  | { readonly link: undefined; readonly answer: (result: Result) => void };

/** A connection, and as whom it was let in. */
interface Visit {
  readonly remote: string;
  pass: Pass;
  /** On whose behalf its commands are, for the record. */
  by: string;
}

const retryAfterMs = 50;
/** Whoever is refused again and again fills no log. */
const refusedMs = 1_000;

export class Clients {
  readonly #parts: ClientsParts;
  readonly #sayRefused: (said: object) => void;
  readonly #links = new Map<ClientLink, Visit>();
  readonly #waiting = new NumberTable<Waiting>();
  #last: RequestId = 0;
  #ring: RingState;
  #down: readonly NodeId[] = [];
  #isLeaving = false;
  #onIdle: (() => void) | undefined;

  constructor(parts: ClientsParts) {
    this.#parts = parts;
    this.#sayRefused = seldom(
      (said, suppressed) => parts.log.audit("command.refused", { ...said, suppressed }),
      refusedMs,
    );
    this.#ring = parts.ring;
  }

  get connections(): number {
    return this.#links.size;
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  admit(incoming: Incoming): Admission {
    const verdict = this.#parts.gate.judgeClient(incoming);
    if (verdict.kind === "refused") return verdict;
    return this.#admitted(incoming, { pass: verdict, headers: {} });
  }

  /** A node that asks to be let in speaks as clients do; `headers` answer its proof. */
  admitNewcomer(incoming: Incoming, headers: Headers): Admission {
    return this.#admitted(incoming, { pass: { principal: newcomer }, headers });
  }

  /**
   * Ends connections whose token or certificate does not hold any more. When the authority is
   * another one, whoever showed a certificate connects again and shows it anew.
   */
  judgeAgain(more?: "doubt-certificates"): void {
    for (const [link, visit] of this.#links) {
      const isDoubted = more !== undefined && visit.pass.holder !== undefined;
      const pass = isDoubted ? undefined : this.#parts.gate.judgeAgain(visit.pass);
      if (pass === undefined) {
        this.#parts.log.audit("auth.ended", { by: visit.by });
        link.close(1008, "AUTH_FAILED: the token or certificate does not hold any more");
      } else {
        visit.pass = pass;
        visit.by = nameOf(pass, visit.remote);
      }
    }
  }

  #admitted(
    { remote }: Incoming,
    { pass, headers }: { readonly pass: Pass; readonly headers: Headers },
  ): Admission {
    const { turn, keepAlive, limits } = this.#parts;
    const visit: Visit = { remote, pass, by: nameOf(pass, remote) };
    return {
      kind: "admitted",
      headers,
      attach: (socket) => {
        const link: ClientLink = new ClientLink({
          socket,
          turn,
          limits,
          receive: (message) => this.#receive(link, visit, message),
          onEnd: (why) => {
            this.#parts.log.warn("client.closed", { why });
          },
        });
        this.#links.set(link, visit);
        keepAlive.add(socket);
        if (this.#isLeaving) link.send({ kind: "go-away" });
        return {
          onMessage: (bytes) => link.onMessage(bytes),
          onClose: () => {
            keepAlive.delete(socket);
            link.closed();
            this.#links.delete(link);
          },
        };
      },
    };
  }

  /** A request of this process itself. */
  request(command: Command, by: string, answer: (result: Result) => void): void {
    this.#submit(command, { link: undefined, answer }, by);
  }

  /** The core's answer. Whoever asked may be gone. */
  reply(id: RequestId, result: Result): void {
    const waiting = this.#waiting.take(id);
    if (waiting === undefined) return;
    if (waiting.link === undefined) waiting.answer(result);
    else this.#answer(waiting, result);
    if (this.#waiting.size === 0) this.#onIdle?.();
  }

  setRing(ring: RingState): void {
    this.#ring = ring;
    this.#tell();
  }

  setDown(nodes: readonly NodeId[]): void {
    this.#down = nodes;
    this.#tell();
  }

  /** Lets clients go elsewhere, and waits for what is under way, at most so long. */
  drain(timeoutMs: number): Promise<void> {
    this.#isLeaving = true;
    for (const link of this.#links.keys()) link.send({ kind: "go-away" });
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): void {
    this.#isLeaving = true;
    for (const id of this.#waiting.numbers()) {
      this.reply(id, failed("CLOSED", "the node stopped before it had an answer", maybe));
    }
    for (const link of this.#links.keys()) link.close(1001, "the node is going away");
  }

  #receive(link: ClientLink, visit: Visit, message: Message): string | undefined {
    if (message.kind === "request") {
      const refusal = this.#admitRequest(link, visit, message);
      if (refusal !== undefined) link.refuse(message.request, refusal);
      return undefined;
    }
    if (message.kind !== "watch-ring") return `${message.kind} is not a message to a node`;
    link.isWatching = true;
    link.send({ kind: "ring-news", state: this.#ring, down: this.#down });
    return undefined;
  }

  #admitRequest(
    link: ClientLink,
    visit: Visit,
    { request, command, token }: Message & { readonly kind: "request" },
  ): Failed | undefined {
    if (this.#isLeaving) return failed("CLOSED", "the node is going away; ask another");
    const { inFlightMax } = this.#parts.limits;
    if (link.inFlight >= inFlightMax) {
      const message = `${inFlightMax} requests are under way on this connection already`;
      return failed("OVERLOADED", message, { retryAfterMs });
    }
    if (!link.begin(request)) {
      return failed("INVALID_ARGUMENT", `request number ${request} is in use already`);
    }
    const opened = this.#allowed(visit, command) ?? this.#opened(command, token);
    if (opened.kind === "failed") {
      link.answer(request, { result: opened, token: undefined });
      return undefined;
    }
    const key = "key" in opened ? opened.key : undefined;
    const { by } = visit;
    const waiting = { link, request, key };
    const isOwn =
      opened.kind === "admin" &&
      this.#parts.answerOwn(opened, by, (result) => this.#answer(waiting, result));
    if (!isOwn) this.#submit(opened, waiting, by);
    return undefined;
  }

  #answer(
    { link, request, key }: Extract<Waiting, { readonly request: RequestId }>,
    result: Result,
  ): void {
    link.answer(request, this.#sealed(result, key));
  }

  /** Undefined when the client may. */
  #allowed(visit: Visit, command: Command): Failed | undefined {
    const refusal = refusalOfCommand(visit.pass.principal, command);
    if (refusal === undefined) return undefined;
    const act = command.kind === "admin" ? command.name : command.kind;
    this.#sayRefused({ by: visit.by, act, outcome: refusal.code, why: refusal.message });
    return refusal;
  }

  #submit(command: Command, waiting: Waiting, by: string): void {
    this.#last += 1;
    this.#waiting.add(this.#last, waiting);
    this.#parts.submit(this.#last, command, by);
  }

  /** The command with the context that its token holds. */
  #opened(command: Command, token: Uint8Array | undefined): Command | Failed {
    if (command.kind !== "put") return command;
    if (token === undefined || token.length === 0) {
      // A context that no node has sealed is nobody's word.
      return command.context === undefined ? command : { ...command, context: undefined };
    }
    const opened = this.#parts.contexts.open(token, command.key);
    if (opened.kind === "failed") return opened;
    return withContext(command, opened);
  }

  #sealed(result: Result, key: Key | undefined): Sent {
    if (result.kind !== "found" && result.kind !== "stored") return { result, token: undefined };
    if (key === undefined || isEmpty(result.context)) return { result, token: undefined };
    const token = this.#parts.contexts.seal(result, key);
    return { result: withoutContext(result), token };
  }

  #tell(): void {
    const news = { kind: "ring-news", state: this.#ring, down: this.#down } as const;
    for (const link of this.#links.keys()) if (link.isWatching) link.send(news);
  }
}

const newcomer: Principal = { name: "node", role: "newcomer", scopes: undefined };
const maybe = { applied: "maybe" } as const;

/**
 * Each field by itself: to copy an object and change one of its fields takes V8 through its slow
 * path, and all who read the copy take longer too.
 */
function withContext(put: PutCommand, { context, fastest }: Seen): PutCommand {
  const { kind, key, value, ttlMs, operation, w, strict, deadlineMs, trace } = put;
  return { kind, key, context, fastest, value, ttlMs, operation, w, strict, deadlineMs, trace };
}

function withoutContext(result: Found | Stored): Result {
  const { kind, fastest, trace } = result;
  const context = emptyContext;
  if (kind === "stored") return { kind, context, fastest, acks: result.acks, trace };
  const { values, degraded, written } = result;
  return { kind, values, context, fastest, degraded, written, trace };
}

function nameOf({ principal }: Pass, remote: string): string {
  return `${principal.name} at ${remote}`;
}

function isEmpty({ vector, dots }: CausalContext): boolean {
  return vector.length === 0 && dots.length === 0;
}
