/**
 * Every state in which a power cut can leave the disk while something runs on it. One run yields
 * the states of all its operations: before each, the disk is cloned, and `MemoryDisk.crash` makes
 * many crashes of one clone. Clones pin memory, so a long script is run once per window of
 * operations instead of being cloned as a whole.
 */
import { appendFileSync } from "node:fs";
import type { CrashOptions, MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { randomFrom } from "./random.ts";

/** The disk before an operation, and whatever else was true then. */
export interface Moment<T> {
  /** From 1; one more than there were operations: the end. */
  readonly operation: number;
  readonly disk: MemoryDisk;
  readonly extra: T;
  /** What is about to happen, as in the journal. Unknown at the end. */
  what: string;
  /** The disk behind the operation, once it has happened. */
  next: MemoryDisk | undefined;
}

/** Takes the moments of the operations in [from, to) while something runs. */
export class Moments<T> {
  readonly all: Moment<T>[] = [];
  readonly #from: number;
  readonly #to: number;
  readonly #extra: () => T;
  #disk: MemoryDisk | undefined;

  constructor(window: { readonly from: number; readonly to: number }, extra: () => T) {
    this.#from = window.from;
    this.#to = window.to;
    this.#extra = extra;
  }

  attach(disk: MemoryDisk): void {
    this.#disk = disk;
  }

  /** To be called before each operation. */
  readonly watch = (): void => {
    if (this.#disk === undefined) return;
    const operation = this.#disk.operations + 1;
    const last = this.all.at(-1);
    const follows = last !== undefined && last.operation === operation - 1;
    if (!follows && (operation < this.#from || operation >= this.#to)) return;
    const disk = this.#disk.clone();
    if (follows) {
      last.what = this.#disk.journal[operation - 2] ?? "";
      last.next ??= disk;
    }
    if (operation >= this.#to) return;
    this.all.push({ operation, disk, extra: this.#extra(), what: "the end", next: undefined });
  };

  /** The moment behind the last operation, if the window reaches that far. */
  end(): void {
    this.watch();
  }
}

/** One state of the disk, and words that say which. */
export interface CrashState {
  readonly disk: MemoryDisk;
  readonly what: string;
}

/**
 * The states of one moment: nothing, everything, and `coins` random parts of what was not synced
 * survive; and the operation, where it is a write, gets half way, with all or some before it.
 */
export function* statesOf(
  moment: Moment<unknown>,
  options: { readonly coins: number; readonly seed: number },
): Generator<CrashState> {
  const { disk, operation, what } = moment;
  const place = `crash before operation ${operation} (${what})`;
  yield { disk: disk.crash({ survival: 0 }), what: `${place}, nothing unsynced survives` };
  yield { disk: disk.crash({ survival: 1 }), what: `${place}, everything survives` };
  for (let coin = 0; coin < options.coins; coin++) {
    const chosen = half(options.seed * 1000 + operation * 10 + coin);
    yield { disk: disk.crash(chosen), what: `${place}, half survives, coin ${coin}` };
  }
  const torn = tornWrite(moment);
  if (torn === undefined) return;
  yield { disk: torn.crash({ survival: 1 }), what: `${place}, the write is torn` };
  const chosen = half(options.seed * 1000 + operation * 10 + 9);
  yield { disk: torn.crash(chosen), what: `${place}, the write is torn and half survives` };
}

function half(seed: number): CrashOptions {
  return { survival: 0.5, random: randomFrom(seed) };
}

/** The disk with half of the write that is about to happen. */
function tornWrite({ disk, what, next }: Moment<unknown>): MemoryDisk | undefined {
  const found = /^write (\S+) (\d+)\+(\d+)$/.exec(what);
  if (found === null || next === undefined) return undefined;
  const path = disk.files().find((file) => file.endsWith(`/${found[1]}`));
  if (path === undefined) return undefined;
  const at = Number(found[2]);
  const length = Math.floor(Number(found[3]) / 2);
  const twin = disk.clone();
  const file = twin.openSync(path, "reuse");
  file.writeSync(next.bytesOf(path), at, length, at);
  file.closeSync();
  return twin;
}

let counted = 0;

/** States checked by this test file so far. */
export function statesChecked(): number {
  return counted;
}

export function countState(): void {
  counted += 1;
}

/**
 * What one file contributes to the 20,000 states that `npm test` promises. The scripts of a
 * campaign's seeds may be shorter: their states are added up by the campaign.
 */
export function statesPromised(states: number): number {
  return firstSeed === 1 ? states : 1;
}

/** How much more than in `npm test` a campaign does. */
export const scale = Math.max(1, Number(process.env["CRASH_SCALE"] ?? 1));

/** For one loop on a busy machine. */
export const loopMs = 300_000 * scale;

/** The first script seed: a campaign moves it on. */
export const firstSeed = Number(process.env["CRASH_SEED"] ?? 1);

/** Says how many states a file has checked, and leaves the number to a campaign. */
export function reportStates(name: string): void {
  process.stdout.write(`${name}: ${counted} states\n`);
  const tally = process.env["CRASH_TALLY"];
  if (tally !== undefined) appendFileSync(tally, `${counted}\n`);
}
