/**
 * How far a long job is, on stderr: a line that redraws itself on a terminal, one line every ten
 * seconds elsewhere. It has no timer of its own: the job calls `update` as often as it likes.
 */
import type { Output } from "./output.ts";

export interface Progress {
  /** `say` is called only when there is something to print. */
  update(say: () => string): void;
  /** Removes the line that redraws itself. */
  finish(): void;
}

const redrawMs = 100;
const lineMs = 10_000;

export function createProgress(output: Output): Progress {
  const pause = output.canRedraw ? redrawMs : lineMs;
  let last = performance.now();
  return {
    update(say) {
      const now = performance.now();
      if (now - last < pause) return;
      last = now;
      if (output.canRedraw) output.redraw(say());
      else output.note(say());
    },
    finish() {
      output.redraw("");
    },
  };
}

/** "████████░░░░░░░░" for 0.5 */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(Math.max(share, 0), 1) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}
