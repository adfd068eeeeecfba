/**
 * A network that delays, loses, repeats, reorders and keeps back, from a seed. Each kind of trouble
 * has a stream of chance of its own, drawn from for every frame, so that switching one off leaves
 * the others as they were. Links can be cut one way at a time, so that every shape of cut can be
 * made of them, and two places may have weather of their own between them.
 */
import type { NodeId } from "../../src/core/ids.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import type { Timeline } from "./timeline.ts";

export interface Weather {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Chances from 0 to 1. */
  readonly loss: number;
  readonly repeat: number;
  /** A frame comes once more, seconds later: perhaps to another life of its receiver. */
  readonly echo: number;
}

export const calm: Weather = { delayMsMin: 0.2, delayMsMax: 2, loss: 0, repeat: 0, echo: 0 };
export const rough: Weather = { ...calm, delayMsMax: 60, loss: 0.02, repeat: 0.02, echo: 0.002 };

const echoMsMin = 500;
const echoMsMax = 10_000;

export class Network {
  weather: Weather;
  sent = 0;
  bytes = 0;
  /** Frames on links that pass this test are counted apart: those between data centres, say. */
  isFar: (from: NodeId, to: NodeId) => boolean = () => false;
  /** On far links, in place of the usual. */
  farWeather: Weather | undefined;
  readonly #timeline: Timeline;
  readonly #streams: Readonly<Record<"delay" | "loss" | "repeat" | "echo", Random>>;
  readonly #cuts = new Set<string>();

  constructor(timeline: Timeline, seed: number, weather: Weather) {
    this.#timeline = timeline;
    this.weather = weather;
    const stream = (number: number): Random => seededRandom(seed * 64 + number);
    this.#streams = { delay: stream(0), loss: stream(1), repeat: stream(2), echo: stream(3) };
  }

  send(from: NodeId, to: NodeId, frame: Uint8Array, deliver: (frame: Uint8Array) => void): void {
    this.sent += 1;
    this.bytes += frame.length;
    const weather = this.#weatherOf(from, to);
    const { delay, loss, repeat, echo } = this.#streams;
    const arrive = (afterMs: number): void =>
      this.#timeline.after(afterMs, () => {
        if (!this.isCut(from, to)) deliver(frame);
      });
    const [first, second] = [delayOf(weather, delay), delayOf(weather, repeat)];
    const isRepeated = happens(weather.repeat, repeat);
    const echoMs = echoMsMin + echo.below(echoMsMax - echoMsMin);
    const isEchoed = happens(weather.echo, echo);
    if (!happens(weather.loss, loss)) arrive(first);
    if (isRepeated) arrive(second);
    if (isEchoed) arrive(echoMs);
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** No message passes between members of different groups. */
  partition(...groups: readonly (readonly NodeId[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue;
        for (const from of group) for (const to of other) this.cut(from, to);
      }
    }
  }

  heal(): void {
    this.#cuts.clear();
  }

  #weatherOf(from: NodeId, to: NodeId): Weather {
    const { farWeather } = this;
    return farWeather !== undefined && this.isFar(from, to) ? farWeather : this.weather;
  }
}

function delayOf({ delayMsMin, delayMsMax }: Weather, random: Random): number {
  return delayMsMin + ((delayMsMax - delayMsMin) * random.below(1_000)) / 1_000;
}

function happens(chance: number, random: Random): boolean {
  return random.below(1_000_000) < chance * 1_000_000;
}
