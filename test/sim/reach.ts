/** Whether an event is in versions or a context, looked up plainly: not by the code under test. */
import type { CausalContext, Dot, Versions } from "../../src/core/clock/versions.ts";

export function reaches(known: CausalContext | Versions, { actor, counter }: Dot): boolean {
  const isIt = (dot: Dot): boolean => dot.actor === actor && dot.counter === counter;
  if (known.vector.some((entry) => entry.actor === actor && entry.counter >= counter)) return true;
  if (known.dots.some(isIt)) return true;
  return "siblings" in known && known.siblings.some((sibling) => isIt(sibling.dot));
}

/** Whether one context has everything that the other has. */
export function contains(greater: CausalContext, lesser: CausalContext): boolean {
  const { vector, dots } = lesser;
  return [...vector, ...dots].every((event) => reaches(greater, event));
}
