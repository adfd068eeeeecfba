/**
 * Which data centre a client works with. A coordinator counts its quorum in its own data centre, so
 * a client that stays with one is fast and reads what it wrote. It is the one that the program
 * names, else the one that answers soonest; while nobody of it can be reached, another.
 */
import type { NodeId } from "../core/ids.ts";
import type { Member } from "../core/ring/ring-state.ts";

/** Another data centre has to be nearer by this, and by half, before the client changes over. */
const marginMs = 2;

export class Nearness {
  readonly #wanted: string | undefined;
  #dc: string | undefined;
  /** Members elsewhere. */
  #far: ReadonlySet<NodeId> = new Set();

  /** `wanted`: what the program names. */
  constructor(wanted: string | undefined) {
    this.#wanted = wanted;
  }

  isNear(node: NodeId): boolean {
    return !this.#far.has(node);
  }

  /** Whether the program named a data centre that the cluster has. */
  isNamedIn(members: readonly Member[]): boolean {
    return members.some(({ dc }) => dc === this.#wanted);
  }

  /** `distanceOf`: how soon a member that can be reached has answered; undefined for others. */
  judge(members: readonly Member[], distanceOf: (member: Member) => number | undefined): void {
    const distances = new Map<string, number>();
    for (const member of members) {
      const distance = distanceOf(member);
      const known = distances.get(member.dc) ?? Number.POSITIVE_INFINITY;
      if (distance !== undefined) distances.set(member.dc, Math.min(known, distance));
    }
    this.#dc = nearestOf(distances, { wanted: this.#wanted, present: this.#dc });
    const far = members.filter(({ dc }) => this.#dc !== undefined && dc !== this.#dc);
    this.#far = new Set(far.map(({ id }) => id));
  }
}

export function nearestOf(
  distances: ReadonlyMap<string, number>,
  {
    wanted,
    present,
  }: { readonly wanted: string | undefined; readonly present: string | undefined },
): string | undefined {
  if (wanted !== undefined && distances.has(wanted)) return wanted;
  const [nearest] = [...distances].sort(([, a], [, b]) => a - b);
  if (nearest === undefined) return present;
  const here = distances.get(present ?? "");
  const isStaying = here !== undefined && nearest[1] > Math.min(here / 2, here - marginMs);
  return isStaying ? present : nearest[0];
}
