/** What a client is shown: neither deleted nor expired values, but all of the context. */
import { counterOf } from "../clock/vector.ts";
import { compareDots, contextOf, type Sibling, type Versions } from "../clock/versions.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { Result } from "../message.ts";

export function foundOf(
  versions: Versions,
  more: {
    readonly now: Millis;
    readonly fastest: NodeId;
    readonly degraded: boolean;
    readonly trace: string | undefined;
  },
): Result & { readonly kind: "found" } {
  const { now, fastest, degraded, trace } = more;
  const shown = shownOf(versions.siblings, now);
  return {
    kind: "found",
    values: shown.map(({ value }) => value),
    // Of the expired ones too, so that the next write replaces them.
    context: contextOf(versions),
    fastest,
    degraded,
    written: shown.map(({ time, dot }) => ({ time, actor: dot.actor })),
    trace,
  };
}

/** The same versions with expired siblings gone, and their dots known: as if they were deleted. */
export function withoutExpired(versions: Versions, now: Millis): Versions {
  const { vector, dots, operations } = versions;
  const siblings = shownOf(versions.siblings, now);
  if (siblings === versions.siblings) return versions;
  const gone = versions.siblings
    .filter((sibling) => !siblings.includes(sibling))
    .map(({ dot }) => dot)
    .filter(({ actor, counter }) => counterOf(vector, actor) < counter);
  return { vector, dots: [...dots, ...gone].sort(compareDots), operations, siblings };
}

function shownOf(siblings: readonly Sibling[], now: Millis): readonly Sibling[] {
  const isShown = ({ expiresAt }: Sibling): boolean => expiresAt === 0 || expiresAt > now;
  return siblings.every(isShown) ? siblings : siblings.filter(isShown);
}
