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
/** Frames that are kept of each sender, to be sent once more by who has them. */
const keptMax = 48;
/** What a slow receiver has not taken in after so long is lost, as queues are bounded. */
const queueMsMax = 4_000;

interface Sent {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly frame: Uint8Array;
  deliver(frame: Uint8Array): void;
}

/** Who takes in little at a time. */
interface Slowness {
  readonly bytesPerMs: number;
  /** Until then it is busy with what came before. */
  busyUntil: number;
}

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
  /** By who made them, so that one kind of trouble does not mend what another has broken. */
  readonly #cuts = new Map<string, Set<number>>();
  readonly #slow = new Map<NodeId, Slowness>();
  /** The latest frames of each process, and some of each that ended. */
  readonly #kept = new Map<NodeId, Sent[]>();
  readonly #past = new Map<NodeId, Sent[]>();
  /** Whether anybody will ask for frames of the past. */
  keepsPast = false;

  constructor(timeline: Timeline, seed: number, weather: Weather) {
    this.#timeline = timeline;
    this.weather = weather;
    const stream = (number: number): Random => seededRandom(seed * 64 + number);
    this.#streams = { delay: stream(0), loss: stream(1), repeat: stream(2), echo: stream(3) };
  }

  send(from: NodeId, to: NodeId, frame: Uint8Array, deliver: (frame: Uint8Array) => void): void {
    this.sent += 1;
    this.bytes += frame.length;
    const sent = { from, to, frame, deliver };
    if (this.keepsPast) this.#keep(sent);
    const weather = this.#weatherOf(from, to);
    const { delay, loss, repeat, echo } = this.#streams;
    const [first, second] = [delayOf(weather, delay), delayOf(weather, repeat)];
    const isRepeated = happens(weather.repeat, repeat);
    const echoMs = echoMsMin + echo.below(echoMsMax - echoMsMin);
    const isEchoed = happens(weather.echo, echo);
    if (!happens(weather.loss, loss)) this.#arrive(sent, first);
    if (isRepeated) this.#arrive(sent, second);
    if (isEchoed) this.#arrive(sent, echoMs);
  }

  isCut(from: NodeId, to: NodeId): boolean {
    if (this.#cuts.size === 0) return false;
    const link = linkOf(from, to);
    for (const links of this.#cuts.values()) if (links.has(link)) return true;
    return false;
  }

  cut(from: NodeId, to: NodeId, by = ""): void {
    const links = this.#cuts.get(by) ?? new Set();
    this.#cuts.set(by, links.add(linkOf(from, to)));
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

  /** Mends what was cut by somebody; by default, everything. */
  heal(by?: string): void {
    if (by === undefined) this.#cuts.clear();
    else this.#cuts.delete(by);
  }

  /** From now on the node takes in so many bytes a millisecond; absent: as many as come. */
  slow(node: NodeId, bytesPerMs?: number): void {
    if (bytesPerMs === undefined) this.#slow.delete(node);
    else this.#slow.set(node, { bytesPerMs, busyUntil: 0 });
  }

  /** A process is gone: what it has sent is of the past. */
  ended(node: NodeId): void {
    const past = [...(this.#past.get(node) ?? []), ...(this.#kept.get(node) ?? [])];
    this.#past.set(node, past.slice(-2 * keptMax));
    this.#kept.delete(node);
  }

  /** Frames of processes that this node was before come once more. Gives how many. */
  replay(node: NodeId, random: Random): number {
    const past = this.#past.get(node) ?? [];
    const chosen = past.filter(() => random.below(2) === 0);
    for (const sent of chosen) this.#arrive(sent, random.below(3_000));
    return chosen.length;
  }

  #arrive(sent: Sent, afterMs: number): void {
    const { from, to, frame } = sent;
    const waitMs = this.#slow.size === 0 ? 0 : this.#queueFor(to, frame.length, afterMs);
    if (waitMs > queueMsMax) return;
    // What a node does when a frame comes says itself whether it wakes any promise.
    this.#timeline.afterQuietly(afterMs + waitMs, () => {
      if (!this.isCut(from, to)) sent.deliver(frame);
    });
  }

  /** How much later a frame is taken in than it comes. */
  #queueFor(to: NodeId, bytes: number, afterMs: number): number {
    const slow = this.#slow.get(to);
    if (slow === undefined) return 0;
    const at = this.#timeline.now + afterMs;
    const taken = Math.max(at, slow.busyUntil) + bytes / slow.bytesPerMs;
    if (taken - at <= queueMsMax) slow.busyUntil = taken;
    return taken - at;
  }

  #keep(sent: Sent): void {
    const kept = this.#kept.get(sent.from) ?? [];
    this.#kept.set(sent.from, kept);
    if (kept.length < keptMax) kept.push(sent);
    else kept[this.sent % keptMax] = sent;
  }

  #weatherOf(from: NodeId, to: NodeId): Weather {
    const { farWeather } = this;
    return farWeather !== undefined && this.isFar(from, to) ? farWeather : this.weather;
  }
}

function linkOf(from: NodeId, to: NodeId): number {
  return from * 65_536 + to;
}

function delayOf({ delayMsMin, delayMsMax }: Weather, random: Random): number {
  return delayMsMin + ((delayMsMax - delayMsMin) * random.below(1_000)) / 1_000;
}

function happens(chance: number, random: Random): boolean {
  return random.below(1_000_000) < chance * 1_000_000;
}
