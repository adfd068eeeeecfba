/** One deadline over several calls, so that together they take no longer than one would. */
import { deadlineMsMin } from "../core/limits.ts";

/** Milliseconds left, but never fewer than a call may have. */
export function deadlineAfter(timeoutMs: number): () => number {
  const until = performance.now() + timeoutMs;
  return () => Math.max(deadlineMsMin, until - performance.now());
}
