/**
 * Makes a failing run smaller while it fails in the same way: first its configuration (kinds of
 * faults off, fewer nodes and clients, less time), then its script, the list of strikes, of which
 * ever smaller parts are left out (delta debugging). The same algorithm for any kind of run: all it
 * knows of one is whether it fails.
 */
import type { RunOptions } from "./run.ts";

export interface Trial {
  /** What is wrong; empty when all is well. */
  readonly wrongs: readonly string[];
  readonly struck: readonly string[];
}

export interface ShrinkParts {
  readonly run: (options: RunOptions) => Promise<Trial>;
  /** At most so many runs. */
  readonly runsMax: number;
  readonly said?: (line: string) => void;
}

export interface Shrunk {
  readonly options: RunOptions;
  readonly wrongs: readonly string[];
  readonly runs: number;
}

const nodesMin = 3;

export async function shrink(start: RunOptions, parts: ShrinkParts): Promise<Shrunk | undefined> {
  const first = await parts.run(start);
  if (first.wrongs.length === 0) return undefined;
  const shrinker = new Shrinker(start, first, parts);
  await shrinker.configuration();
  await shrinker.script();
  return shrinker.result;
}

class Shrinker {
  readonly #parts: ShrinkParts;
  readonly #shapes: ReadonlySet<string>;
  #best: RunOptions;
  #trial: Trial;
  #runs = 1;

  constructor(start: RunOptions, first: Trial, parts: ShrinkParts) {
    this.#parts = parts;
    this.#best = start;
    this.#trial = first;
    this.#shapes = new Set(first.wrongs.map(shapeOf));
  }

  get result(): Shrunk {
    return { options: this.#best, wrongs: this.#trial.wrongs, runs: this.#runs };
  }

  async configuration(): Promise<void> {
    for (const kind of new Set(this.#trial.struck.map(kindOf))) {
      await this.#try({ without: [...(this.#best.without ?? []), kind] });
    }
    for (const exposure of ["echo", "repeat", "loss", "latency"]) {
      await this.#try({ without: [...(this.#best.without ?? []), exposure] });
    }
    for (const nodes of [4, nodesMin]) await this.#try({ nodes });
    for (const clients of [3, 1]) await this.#try({ clients });
    for (let { seconds = 0 } = this.#best; seconds > 2; ) {
      seconds = Math.ceil(seconds / 2);
      if (!(await this.#try({ seconds }))) break;
    }
  }

  /** Leaves out halves, then quarters and so on, as long as anything can be left out. */
  async script(): Promise<void> {
    if (!(await this.#try({ script: this.#trial.struck }))) return;
    for (let parts = 2; ; ) {
      const script = this.#best.script ?? [];
      if (script.length === 0) return;
      const size = Math.ceil(script.length / parts);
      let isSmaller = false;
      for (let at = 0; at < script.length && !isSmaller; at += size) {
        isSmaller = await this.#try({
          script: [...script.slice(0, at), ...script.slice(at + size)],
        });
      }
      if (isSmaller) parts = Math.max(2, parts - 1);
      else if (size === 1) return;
      else parts = Math.min(script.length, 2 * parts);
    }
  }

  async #try(change: Partial<RunOptions>): Promise<boolean> {
    if (this.#runs >= this.#parts.runsMax) return false;
    const options = { ...this.#best, ...change };
    this.#runs += 1;
    const trial = await this.#parts.run(options);
    const fails = trial.wrongs.some((wrong) => this.#shapes.has(shapeOf(wrong)));
    this.#parts.said?.(`${fails ? "fails" : "passes"} with ${JSON.stringify(change)}`);
    if (!fails) return false;
    this.#best = options;
    this.#trial = trial;
    return true;
  }
}

function kindOf(strike: string): string {
  return strike.replace(/ \d+$/, "");
}

/** What is wrong, whatever key, node and value it is wrong with. */
function shapeOf(wrong: string): string {
  const [line = ""] = wrong.split("\n");
  return line
    .replace(/\b[a-z]\.\d+\b|\d+/g, "#")
    .replace(/^[a-z]: /, "key: ")
    .slice(0, 60);
}
