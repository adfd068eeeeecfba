/** Runs as people type them and as files keep them: the words for what decides a run. */
import { type RunOptions, secondsUsual } from "./run.ts";

/** The command that repeats a run. */
export function commandOf(options: RunOptions): string {
  const { seed, nodes, seconds = secondsUsual, clients, without = [], script } = options;
  const words = [`npm run sim -- --seed ${seed}`, `--seconds ${seconds}`];
  if (nodes !== undefined) words.push(`--nodes ${nodes}`);
  if (clients !== undefined) words.push(`--clients ${clients}`);
  if (without.length > 0) words.push(`--without ${without.join(",")}`);
  if (script !== undefined) words.push(`--script "${script.join(",")}"`);
  return words.join(" ");
}

/** A run that is kept, because of what it once found or of all that happens in it. */
export interface Kept {
  readonly why: string;
  readonly run: RunOptions;
}

export function parseKept(text: string): Kept {
  const { why, run } = JSON.parse(text) as Partial<Kept>;
  if (typeof why !== "string" || why === "") throw new Error("a kept run says why");
  if (typeof run?.seed !== "number") throw new Error("a kept run has a seed");
  return { why, run };
}
