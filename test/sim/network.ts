/**
 * A network that delays, loses, repeats and reorders, from a seed. Partitions cut links one way
 * at a time, so that every shape of cut can be made of them.
 */
import type { NodeId } from "../../src/core/ids.ts";
import type { Random } from "../../src/core/random.ts";
import type { Timeline } from "./timeline.ts";

export interface Weather {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Chances from 0 to 1. */
  readonly loss: number;
  readonly repeat: number;
}

export const calm: Weather = { delayMsMin: 0.2, delayMsMax: 2, loss: 0, repeat: 0 };
export const rough: Weather = { delayMsMin: 0.2, delayMsMax: 60, loss: 0.02, repeat: 0.02 };

export class Network {
  weather: Weather;
  sent = 0;
  bytes = 0;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #cuts = new Set<string>();

  constructor(timeline: Timeline, random: Random, weather: Weather) {
    this.#timeline = timeline;
    this.#random = random;
    this.weather = weather;
  }

  send(from: NodeId, to: NodeId, frame: Uint8Array, deliver: (frame: Uint8Array) => void): void {
    this.sent += 1;
    this.bytes += frame.length;
    const copies = this.#happens(this.weather.repeat) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.#happens(this.weather.loss)) continue;
      this.#timeline.after(this.#delay(), () => {
        if (!this.isCut(from, to)) deliver(frame);
      });
    }
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

  #delay(): number {
    const { delayMsMin, delayMsMax } = this.weather;
    return delayMsMin + ((delayMsMax - delayMsMin) * this.#random.below(1_000)) / 1_000;
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.#random.below(1_000_000) < chance * 1_000_000;
  }
}
