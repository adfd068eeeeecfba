/**
 * What a soak has done so far, in one file that is replaced as a whole after each task, so that it
 * can be stopped at any moment and go on later.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class State {
  #directory;
  #value;
  /** Tasks that this process has begun: none of those that an earlier one did not end. */
  #taken = new Set();

  constructor(directory, { fresh }) {
    this.#directory = directory;
    if (fresh) rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    this.#value = this.#read() ?? { version: 1, spentMs: 0, kinds: {}, failures: [] };
  }

  get path() {
    return join(this.#directory, "state.json");
  }

  get spentMs() {
    return this.#value.spentMs;
  }

  get failures() {
    return this.#value.failures;
  }

  of({ name, first }) {
    this.#value.kinds[name] ??= { done: 0, next: first, underWay: [], tasks: 0, ms: 0 };
    return this.#value.kinds[name];
  }

  /** Where the next task of this kind begins: at one that was cut off, or behind all others. */
  startOf(kind) {
    const { next, underWay } = this.of(kind);
    return underWay.find((start) => !this.#taken.has(`${kind.name} ${start}`)) ?? next;
  }

  /** `next` is what follows the task, should nobody have gone there before. */
  begin(kind, start, next) {
    const known = this.of(kind);
    this.#taken.add(`${kind.name} ${start}`);
    if (start === known.next) {
      known.next = next;
      known.underWay.push(start);
    }
    this.#write();
  }

  finished(kind, { start, done, ms, skipped }) {
    const known = this.of(kind);
    known.underWay = known.underWay.filter((other) => other !== start);
    known.done += done;
    known.tasks += 1;
    known.ms += ms;
    if (skipped !== undefined) known.skipped = skipped;
    this.#write();
  }

  /** Keeps the output; returns where. */
  failed({ name }, { repeat, why, output }) {
    const number = this.#value.failures.length + 1;
    const log = join(this.#directory, `failure-${number}.log`);
    writeFileSync(log, output);
    this.#value.failures.push({ kind: name, repeat, why, log });
    this.#write();
    return log;
  }

  spend(ms) {
    this.#value.spentMs += ms;
    this.#write();
  }

  #read() {
    try {
      const value = JSON.parse(readFileSync(this.path, "utf8"));
      return value.version === 1 ? value : undefined;
    } catch {
      return undefined;
    }
  }

  #write() {
    const temporary = `${this.path}.tmp`;
    writeFileSync(temporary, `${JSON.stringify(this.#value, undefined, 2)}\n`);
    renameSync(temporary, this.path);
  }
}
