/**
 * The second phase of a run: everything is mended, nobody writes, and within a stated time all
 * owners of a key hold the same, and nothing else waits to be done.
 */
import type { Held } from "./checks.ts";
import { heldIn } from "./inspect.ts";
import { findUnrest } from "./unrest.ts";
import type { World } from "./world.ts";

/** At most so long after everything is mended and the ring is at rest. */
export const convergenceMs = 120_000;
/** After that nothing changes: what comes back later would be seen. */
const calmMs = 5_000;
const lookMs = 1_000;

type AllHeld = ReadonlyMap<string, readonly Held[]>;

export interface Converged {
  readonly held: AllHeld;
  /** From the mending on; absent: it did not come about. */
  readonly tookMs: number | undefined;
  readonly wrongs: readonly string[];
}

export async function converge(world: World, keys: readonly string[]): Promise<Converged> {
  const began = world.timeline.now;
  for (;;) {
    const held = await heldIn(world, keys);
    const why = await reasonsApart(world, held);
    const tookMs = world.timeline.now - began;
    if (why.length === 0) {
      await world.run(calmMs);
      const later = await heldIn(world, keys);
      const wrongs = [...changesBetween(held, later), ...twinsIn(later)];
      return { held: later, tookMs, wrongs };
    }
    if (tookMs >= convergenceMs) {
      return { held, tookMs: undefined, wrongs: [`${tookMs} ms after the end: ${why.join("; ")}`] };
    }
    await world.run(lookMs);
  }
}

async function reasonsApart(world: World, held: AllHeld): Promise<string[]> {
  const reasons: string[] = [];
  for (const [key, copies] of held) {
    const different = new Set(copies.map(({ versions }) => versions));
    if (different.size > 1) reasons.push(`${key} differs: ${[...different].join(" | ")}`);
  }
  if (reasons.length > 0) return reasons;
  // What a former owner has left it keeps for a time of grace, in case the move was a mistake.
  return (await findUnrest(world)).filter((reason) => !reason.endsWith("left over"));
}

function changesBetween(before: AllHeld, after: AllHeld): string[] {
  const changed: string[] = [];
  for (const [key, copies] of after) {
    const [then, now] = [valuesOf(before.get(key)), valuesOf(copies)];
    if (then !== now) changed.push(`${key}: ${then} became ${now}, and nobody wrote`);
  }
  return changed;
}

/** One write stands there once, however often it was tried. */
function twinsIn(held: AllHeld): string[] {
  const isTwice = ({ values }: Held): boolean => new Set(values).size < values.length;
  return [...held].flatMap(([key, copies]) => {
    const copy = copies.find(isTwice);
    return copy === undefined ? [] : [`${key}: one write stands there twice: ${copy.values}`];
  });
}

function valuesOf(copies: readonly Held[] | undefined): string {
  return JSON.stringify((copies ?? []).map(({ values }) => [...values].sort()));
}
