/** How the demo tells what it does: one line a step, a mark for what held and what did not. */
import type { Output } from "../output.ts";
import { duration } from "../units.ts";

export interface Step {
  readonly name: string;
  /** What is said when it holds, and when it does not. */
  readonly right: string;
  readonly wrong: string;
}

export interface Story {
  say(text: string): Promise<void>;
  check(holds: boolean, step: Step): Promise<void>;
  end(ms: number): Promise<void>;
  /** Names of the steps that did not hold. */
  readonly failures: readonly string[];
}

export function createStory(output: Output): Story {
  const failures: string[] = [];
  const steps: { name: string; ok: boolean; said: string }[] = [];
  const paint = (code: number, text: string): string =>
    output.hasColor ? `\u001b[${code}m${text}\u001b[0m` : text;
  const print = async (text: string): Promise<void> => {
    if (output.json) return;
    // What is drawn stands below the story.
    output.draw([]);
    await output.write(`${text}\n`);
  };
  return {
    failures,
    say: (text) => print(`${text}\n`),
    async check(holds, { name, right, wrong }) {
      const said = holds ? right : wrong;
      steps.push({ name, ok: holds, said });
      if (!holds) failures.push(name);
      const mark = holds ? paint(32, "✓") : paint(31, "✗");
      await print(`  ${mark} ${paint(1, name.padEnd(10))}  ${said}`);
    },
    async end(ms) {
      const verdict =
        failures.length === 0
          ? paint(32, `All ${steps.length} checks passed in ${duration(ms)}.`)
          : paint(31, `FAILED: ${failures.join(", ")}.`);
      await output.result({ ok: failures.length === 0, ms, steps }, `\n${verdict}\n`);
    },
  };
}
