/**
 * What clients are told, held against what stores did: contexts cover what they come with and only
 * grow, a strict read that began after a strict acknowledgement knows of it, and what was surely
 * refused was nowhere applied.
 */
import { emptyContext } from "../../src/core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { type Key, nameOf } from "../../src/core/key.ts";
import { requestsMax } from "../../src/core/limits.ts";
import type { Command, Result } from "../../src/core/message.ts";
import type { Durability, Tracked } from "./durability.ts";
import { contains, reaches } from "./reach.ts";

interface Attempts {
  asked: number;
  /** Answered with "surely not applied". */
  refused: number;
  /** By whom it was written, if by anybody. */
  appliedBy: NodeId | undefined;
}

type OperationName = { readonly at: number; readonly nonce: number };
type Put = Extract<Command, { kind: "put" }>;

export class Answers {
  readonly wrongs: string[] = [];
  readonly #durability: Durability;
  readonly #attempts = new Map<string, Attempts>();
  readonly #strict = new Set<string>();
  /** Asked and not answered, by node. */
  readonly #open = new Map<NodeId, number>();
  /** Strict reads promise something only while owners stay, and what they had. */
  isSteady = true;

  constructor(durability: Durability) {
    this.#durability = durability;
  }

  stored(node: NodeId, work: StoreWork, outcome: StoreOutcome): void {
    if (work.kind !== "write" || outcome.kind !== "written" || outcome.isDuplicate) return;
    this.#attemptsOf(work.change.operation).appliedBy = node;
  }

  /** A client asks; what is returned is to be called with the answer. */
  asked(node: NodeId, command: Command): (result: Result) => void {
    const open = (this.#open.get(node) ?? 0) + 1;
    this.#open.set(node, open);
    if (open > 2 * requestsMax) this.wrongs.push(`${open} requests wait at node ${node}`);
    if (command.kind === "put") this.#attemptsOf(command.operation).asked += 1;
    const before = this.#strictOf(command);
    return (result) => {
      this.#open.set(node, (this.#open.get(node) ?? 1) - 1);
      if (command.kind === "get") this.#read(command.key, result, before);
      if (command.kind === "put") this.#wrote(command, result);
    };
  }

  /** A process that ends answers nothing any more. */
  ended(node: NodeId): void {
    this.#open.delete(node);
  }

  unansweredAt(node: NodeId): number {
    return this.#open.get(node) ?? 0;
  }

  /** Whether any store took up the operation of this name. */
  isApplied(operation: string): boolean {
    return this.#attempts.get(operation)?.appliedBy !== undefined;
  }

  /** To be asked at the end: what was refused may have been applied only later. */
  get liesAboutRefusals(): readonly string[] {
    return [...this.#attempts].flatMap(([name, { asked, refused, appliedBy }]) =>
      asked > 0 && refused === asked && appliedBy !== undefined
        ? [`operation ${name} was surely not applied, and node ${appliedBy} has applied it`]
        : [],
    );
  }

  #read(key: Key, result: Result, before: readonly Tracked[]): void {
    if (result.kind !== "found") return;
    const { context } = result;
    for (const value of result.values.map((bytes) => Buffer.from(bytes).toString())) {
      const dots = this.#durability.dotsOf(key, value);
      if (dots.length > 0 && !dots.some((dot) => reaches(context, dot))) {
        this.wrongs.push(`${nameOf(key)}: the context of a read does not cover its value ${value}`);
      }
    }
    if (!this.isSteady || before.length === 0) return;
    // What a floor has covered meanwhile is followed no longer.
    const still = new Set(this.#durability.acknowledgedOf(key));
    for (const { value, key: name } of before.filter((one) => still.has(one))) {
      // An attempt that was passed on may stand there under the dot of the other.
      if (this.#durability.dotsOf(key, value).some((dot) => reaches(context, dot))) continue;
      const when = `acknowledged before a strict read of ${name}`;
      this.wrongs.push(`${value} was ${when} began, which does not know of it`);
    }
  }

  #wrote(command: Put, result: Result): void {
    const attempts = this.#attemptsOf(command.operation);
    if (result.kind === "failed" && result.applied === "no") attempts.refused += 1;
    if (result.kind !== "stored") return;
    if (attempts.appliedBy === undefined) {
      this.wrongs.push(`${nameOf(command.key)}: a write was acknowledged that nobody made`);
    }
    const { key, context = emptyContext, value } = command;
    if (!contains(result.context, context)) {
      this.wrongs.push(`${nameOf(key)}: the context of a write lacks some of what it was given`);
    }
    if (value === undefined) return;
    const text = Buffer.from(value).toString();
    const dots = this.#durability.dotsOf(key, text);
    // One that was made before, and is superseded since, is known by the name of its operation.
    const name = nameOfOperation(command.operation);
    const isNamed = result.context.operations.some((known) => nameOfOperation(known) === name);
    if (!isNamed && dots.length > 0 && !dots.some((dot) => reaches(result.context, dot))) {
      this.wrongs.push(`${nameOf(key)}: the context of the write of ${text} does not cover it`);
    }
    this.#durability.acknowledged(key, text, result.acks);
    if (command.strict) this.#strict.add(`${nameOf(key)}=${text}`);
  }

  /** Strict writes of the key that were acknowledged before. */
  #strictOf(command: Command): readonly Tracked[] {
    if (command.kind !== "get" || !command.strict) return [];
    const all = this.#durability.acknowledgedOf(command.key);
    return all.filter(({ key, value }) => this.#strict.has(`${key}=${value}`));
  }

  #attemptsOf(operation: OperationName): Attempts {
    const name = nameOfOperation(operation);
    const known = this.#attempts.get(name) ?? { asked: 0, refused: 0, appliedBy: undefined };
    this.#attempts.set(name, known);
    return known;
  }
}

export function nameOfOperation({ at, nonce }: OperationName): string {
  return `${at}/${nonce}`;
}
