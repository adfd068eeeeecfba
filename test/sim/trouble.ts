/**
 * Faults for a world, each kind on a schedule and streams of chance of its own: with one kind
 * switched off the others come at the same times as before, and so do the other strikes of a kind
 * when one of them is left out. What is broken is mended by the same kind a little later, and by
 * `settle` at the end.
 */
import type { NodeId } from "../../src/core/ids.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { calm } from "./network.ts";
import type { World } from "./world.ts";

/** Does one thing, and says what. Empty: nothing could be done now. */
export type Fault = (world: World, random: Random) => Promise<string> | string;

export interface Kind {
  readonly name: string;
  /** From one to the next it takes up to twice so long. */
  readonly everyMs: number;
  readonly strike: Fault;
}

export interface Trouble {
  readonly seed: number;
  readonly ms: number;
  readonly kinds: readonly Kind[];
  /** Where it is written down what was done, and when. */
  readonly done?: string[];
  /** Where the names of the strikes are written down that did something. */
  readonly struck?: string[];
  /** Only strikes of these names are carried out; absent: all. */
  readonly script?: readonly string[] | undefined;
}

interface Strike {
  /** Of the kind, and which of its strikes: `crash 3`. */
  readonly name: string;
  readonly kind: Kind;
  readonly at: number;
}

/** Runs the world with faults for so long. Gives what was done, and when. */
export async function makeTrouble(world: World, trouble: Trouble): Promise<string[]> {
  const { seed, ms, script, done = [], struck = [] } = trouble;
  const start = world.timeline.now;
  const chosen = script === undefined ? undefined : new Set(script);
  for (const { name, kind, at } of strikesOf(trouble)) {
    if (chosen !== undefined && !chosen.has(name)) continue;
    await world.timeline.runUntil(Math.max(world.timeline.now, start + at));
    if (world.timeline.now >= start + ms) break;
    const what = await kind.strike(world, streamOf(seed, name));
    if (what === "") continue;
    struck.push(name);
    done.push(`${Math.round(world.timeline.now - start)} ms: ${what} (${name})`);
  }
  await world.timeline.runUntil(Math.max(world.timeline.now, start + ms));
  return done;
}

/** Everything that is due, in order of time. */
export function strikesOf({ seed, ms, kinds }: Pick<Trouble, "seed" | "ms" | "kinds">): Strike[] {
  const strikes: Strike[] = [];
  for (const kind of kinds) {
    const random = streamOf(seed, kind.name);
    let at = random.below(2 * kind.everyMs);
    for (let number = 1; at < ms; number++) {
      strikes.push({ name: `${kind.name} ${number}`, kind, at });
      at += 1 + random.below(2 * kind.everyMs);
    }
  }
  return strikes.sort((a, b) => a.at - b.at);
}

/** Mends everything, and gives replicas the time to agree. */
export async function settle(
  world: World,
  ms = 90_000,
  start: (id: NodeId) => Promise<unknown> = (id) => world.restart(id),
): Promise<void> {
  world.network.heal();
  world.network.weather = calm;
  world.network.farWeather = undefined;
  for (const id of world.ids) {
    world.network.slow(id);
    world.setCapacity(id, Number.POSITIVE_INFINITY);
    world.setDiskPace(id, 1);
    world.diskOf(id).heal();
    world.clockOf(id).drift(0);
    world.thaw(id);
  }
  // Who has met a full or broken disk may still be about to die of it.
  await world.run(1_000);
  for (const id of world.startable) await start(id);
  await world.run(ms);
}

/** One of these nodes, the same one as long as it is among them. */
export function pick(from: readonly NodeId[], random: Random): NodeId | undefined {
  // Drawn from also when there is nothing to choose: the stream goes on as it would have.
  const salt = random.below(2 ** 32);
  let best: { readonly id: NodeId; readonly lot: number } | undefined;
  for (const id of from) {
    const lot = seededRandom(salt + id).below(2 ** 32);
    if (best === undefined || lot > best.lot) best = { id, lot };
  }
  return best?.id;
}

/** Chance for one purpose, whatever else is drawn. */
export function streamOf(seed: number, name: string): Random {
  let hash = 0x811c9dc5;
  for (const letter of `${seed} ${name}`) {
    hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  }
  return seededRandom(hash);
}
