/** How the store answers: never within the call that asked, and failures as values. */
import { isEngineError } from "../../native-free-engine/index.ts";
import type { StoreOutcome } from "../core/event.ts";
import { ClusterError } from "../errors.ts";

export type Done = (outcome: StoreOutcome) => void;
export type Failure = Extract<StoreOutcome, { kind: "failed" }>;

/** A refusal or damage that the store itself finds; everything else is the engine's. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: "CLOSED" | "CORRUPTION" | "HINTS_FULL" | "OVERLOADED" | "VALUE_TOO_LARGE";

  constructor(code: StoreError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

export function failureOf(error: unknown): Failure {
  if (isEngineError(error)) {
    const { code, message, applied } = error;
    return { kind: "failed", code, message, applied };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ClusterError) {
    return { kind: "failed", code: error.code, message, applied: error.applied };
  }
  if (error instanceof StoreError) {
    return { kind: "failed", code: error.code, message, applied: "no" };
  }
  return { kind: "failed", code: "INTERNAL", message, applied: "maybe" };
}

/** Whether the engine will take no more writes until the node starts again. */
export function isFatal(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const harmless = ["CLOSED", "DISK_FULL", "KEY_TOO_LARGE", "VALUE_TOO_LARGE", "BATCH_TOO_LARGE"];
  return !(isEngineError(error) && harmless.includes(error.code));
}

/**
 * Gathers answers and gives them in a microtask, in order: who asks is never called back while
 * it is still asking, and one turn of the loop costs one microtask.
 */
export class Answers {
  #waiting: (Done | StoreOutcome)[] = [];
  #isScheduled = false;

  give(done: Done, outcome: StoreOutcome): void {
    this.#waiting.push(done, outcome);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(this.#onMicrotask);
  }

  readonly #onMicrotask = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#isScheduled = false;
    for (let i = 0; i < waiting.length; i += 2) {
      (waiting[i] as Done)(waiting[i + 1] as StoreOutcome);
    }
  };
}
