/**
 * What fuzzing is: a decoder is given real input that was changed at random, many times. It takes
 * it or refuses it in the way that was promised; anything else fails the run: an exception that is
 * none of ours, 50 ms for one input, or memory beyond four times the input and a constant. Each
 * input follows from the seed and its number alone, so that one of them can be repeated.
 */
import { getHeapStatistics } from "node:v8";
import { randomFrom } from "../support/random.ts";
import type { Watchdog } from "./watchdog.ts";

/** One input, ready to be decoded. */
export interface Trial {
  readonly bytes: number;
  /** Whether it was taken. Throws when it was neither taken nor refused as promised. */
  judge(): boolean | Promise<boolean>;
  show(): string;
}

export type Draw = (random: () => number) => Trial;

export interface Decoder {
  readonly name: string;
  /** Its share of all inputs: the fast ones have most. */
  readonly perMillion: number;
  /** Makes the samples; what may be loaded late is loaded here. */
  prepare(): Draw | Promise<Draw>;
}

export interface Work {
  readonly seed: number;
  readonly inputs: number;
  /** The number of the first input. */
  readonly from?: number | undefined;
  readonly watchdog?: Watchdog | undefined;
}

export interface Tally {
  readonly inputs: number;
  readonly taken: number;
  readonly slowestMs: number;
  /** The most that memory grew with one input, beyond four times its length. */
  readonly grownBytesMax: number;
}

/** No input may take longer; each has a few thousand bytes at most. */
const msMax = 50;
/** Buffers of a fixed size, and what the compiler of the language adds in the middle of it all. */
const constantBytes = 16 << 20;
/** A pause of the machine or a compilation does not come again and again: a slow decoder does. */
const triesMax = 8;

export async function fuzz(decoder: Decoder, work: Work): Promise<Tally> {
  const draw = await decoder.prepare();
  const { stackTraceLimit } = Error;
  // Most inputs are refused, many with an error whose stack nobody reads: a third of all time.
  Error.stackTraceLimit = 0;
  try {
    return await tryAll(decoder, draw, work);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function tryAll(decoder: Decoder, draw: Draw, work: Work): Promise<Tally> {
  const { seed, inputs, from = 0, watchdog } = work;
  let taken = 0;
  let slowestMs = 0;
  let grownBytesMax = 0;
  for (let input = from; input < from + inputs; input++) {
    watchdog?.touch(input);
    const trial = draw(randomOf(seed, input));
    const before = memoryBytes();
    const began = performance.now();
    try {
      if (await trial.judge()) taken += 1;
    } catch (error) {
      const cause = await withStack(trial, error);
      throw new Error(`${repeat(decoder, seed, input)}: ${shortened(trial)}`, { cause });
    }
    let ms = performance.now() - began;
    let grown = memoryBytes() - before - 4 * trial.bytes;
    if (ms > msMax || grown > constantBytes) {
      ({ ms, grown } = await again(trial, { ms, grown }));
      const what = ms > msMax ? `${ms.toFixed(0)} ms` : `${grown} bytes more than allowed`;
      if (ms > msMax || grown > constantBytes) {
        throw new Error(`${repeat(decoder, seed, input)}: took ${what}: ${shortened(trial)}`);
      }
    }
    slowestMs = Math.max(slowestMs, ms);
    grownBytesMax = Math.max(grownBytesMax, grown);
  }
  return { inputs, taken, slowestMs, grownBytesMax };
}

/** The same error again, and where it comes from. */
async function withStack(trial: Trial, first: unknown): Promise<unknown> {
  Error.stackTraceLimit = 20;
  try {
    await trial.judge();
    return first;
  } catch (error) {
    return error;
  }
}

/** How to run one input alone. */
function repeat({ name }: Decoder, seed: number, input: number): string {
  return `npm run fuzz -- --decoder ${name} --seed ${seed} --input ${input}`;
}

/**
 * The least that it takes of the processor's time: on a busy machine the clock says little, and a
 * compilation in the middle of one try is not in all.
 */
async function again(
  trial: Trial,
  first: { readonly ms: number; readonly grown: number },
): Promise<{ ms: number; grown: number }> {
  let { ms, grown } = first;
  for (let tries = 1; tries < triesMax && (ms > msMax || grown > constantBytes); tries++) {
    const before = memoryBytes();
    const began = process.cpuUsage();
    await trial.judge();
    const { user, system } = process.cpuUsage(began);
    ms = Math.min(ms, (user + system) / 1000);
    grown = Math.min(grown, memoryBytes() - before - 4 * trial.bytes);
  }
  return { ms, grown };
}

function memoryBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

function randomOf(seed: number, input: number): () => number {
  return randomFrom(Math.imul(input + 1, 0x85ebca6b) ^ Math.imul(seed + 1, 0xc2b2ae35));
}

function shortened(trial: Trial): string {
  const text = trial.show();
  return text.length > 4000 ? `${text.slice(0, 4000)}… (${text.length} characters)` : text;
}
