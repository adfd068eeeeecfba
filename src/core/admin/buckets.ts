/**
 * The operators' commands for buckets: create, set and list. Each change is an epoch; the answer is
 * all buckets, as they are in the ring that the change is part of. It is given once every live node
 * has that ring: what is written after it, through whichever node, follows the change.
 */
import { failed } from "../failure.ts";
import type { Millis } from "../ids.ts";
import { type BucketWish, createBucket, setBucket } from "../members/buckets.ts";
import type { Failed, Result } from "../message.ts";
import { faultOfBucketName, resolverNames } from "../ring/buckets.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { RingView } from "../views.ts";

export interface BucketParts {
  ring(): RingView;
  propose(
    now: Millis,
    change: (state: RingState) => RingState | Failed,
    done: (outcome: RingState | Failed) => void,
    timeoutMs: Millis,
  ): void;
  /** Calls back once every live node has the epoch in force, or has taken too long. */
  everywhere(epoch: number, done: () => void): void;
}

type Given = Readonly<Record<string, unknown>>;
type Answer = (result: Result) => void;
type Run = (
  now: Millis,
  command: { readonly deadlineMs: Millis },
  given: Given,
  answer: Answer,
) => void;

export function bucketCommands(parts: BucketParts): Readonly<Record<string, Run>> {
  const changing =
    (make: (state: RingState, wish: BucketWish) => RingState | Failed): Run =>
    (now, { deadlineMs }, given, answer) => {
      const wish = wishIn(given);
      if ("kind" in wish) answer(wish);
      else {
        const change = (state: RingState): RingState | Failed => make(state, wish);
        const done = (outcome: RingState | Failed): void => {
          if ("kind" in outcome) answer(outcome);
          else parts.everywhere(outcome.epoch, () => answer(answerOf(outcome)));
        };
        parts.propose(now, change, done, deadlineMs);
      }
    };
  return {
    "bucket-create": changing(createBucket),
    "bucket-set": changing(setBucket),
    "bucket-list": (_now, _command, _given, answer) => answer(answerOf(parts.ring().state)),
  };
}

function answerOf({ epoch, buckets }: RingState): Result {
  return { kind: "answer", json: JSON.stringify({ epoch, buckets }) };
}

/** Which numbers will do is judged by the change itself, which knows n. */
function wishIn({ name, r, w, resolver, ttlMs }: Given): BucketWish | Failed {
  const invalid = (why: string): Failed => failed("INVALID_ARGUMENT", why);
  if (typeof name !== "string") return invalid("which bucket? its name is missing");
  const fault = faultOfBucketName(name);
  if (fault !== undefined) return invalid(fault);
  if (!isNumber(r) || !isNumber(w) || !isNumber(ttlMs)) {
    return invalid("r, w and ttlMs of a bucket are numbers");
  }
  const known = resolverNames.find((one) => one === resolver);
  if (resolver === undefined || known !== undefined) return { name, r, w, resolver: known, ttlMs };
  return invalid(`a resolver is one of ${resolverNames.join(", ")}`);
}

function isNumber(value: unknown): value is number | undefined {
  return value === undefined || typeof value === "number";
}
