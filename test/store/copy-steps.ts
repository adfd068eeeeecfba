/** What the oracle of a store knows of one copy: a state, and the steps asked for since. */
import { type Engine, EngineError } from "../../native-free-engine/index.ts";
import { type Dot, isEqual, type Versions } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Key } from "../../src/core/key.ts";

type Answer = "none" | "done" | "refused";

export interface Step {
  readonly apply: (before: Versions) => Versions;
  answer: Answer;
}

/** Steps since the state was last known. */
export interface Copy {
  readonly key: Key;
  readonly target: NodeId;
  base: Versions;
  steps: Step[];
}

export function fold(copy: Copy, steps: readonly Step[] = copy.steps): Versions {
  return steps.reduce((state, step) => step.apply(state), copy.base);
}

/** A refused step may have come to be all the same, as part of one that was built on it. */
export function withAndWithoutRefused(steps: readonly Step[]): (readonly Step[])[] {
  let choices: (readonly Step[])[] = [[]];
  for (const step of steps) {
    const longer = choices.map((choice) => [...choice, step]);
    choices = step.answer === "refused" ? [...longer, ...choices] : longer;
    if (choices.length > 4096) throw new Error("too many refusals to tell");
  }
  return choices;
}

/** An engine that says now and then that the disk is full. */
export function refusing(engine: Engine, refusals: { next: () => boolean }): Engine {
  const full = (): Promise<void> =>
    Promise.reject(new EngineError("DISK_FULL", "no space, says the test"));
  return new Proxy(engine, {
    get(target, name) {
      const method = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      if (name === "put" || name === "batch" || name === "delete") {
        return (...args: unknown[]) =>
          refusals.next() ? full() : Reflect.apply(method, target, args);
      }
      return method.bind(target);
    },
  });
}

export function isSameRecord(a: Versions, b: Versions): boolean {
  return (
    isEqual(a, b) &&
    a.siblings.every(({ value, time }, i) => {
      const twin = b.siblings[i];
      return twin?.time === time && Buffer.compare(value, twin.value) === 0;
    })
  );
}

export function copyName(key: Key, target: NodeId): string {
  return `${shown(key)} for ${target}`;
}

export function shown({ bucket, bytes }: Key): string {
  return `${bucket}/${Buffer.from(bytes).toString()}`;
}

export function dotName({ actor, counter }: Dot): string {
  return `${actor}:${counter}`;
}
