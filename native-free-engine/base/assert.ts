/**
 * Claims that only a bug in this program can break. Bytes from a disk, a wire or a user are
 * never asserted on: those are errors with a code.
 */

/** Throws when the claim is false; also in production, where a wrong answer costs more. */
export function assert(claim: boolean, because: string): asserts claim {
  if (!claim) throw new Error(`broken assertion: ${because}`);
}

/** Closes a switch over a union: the compiler refuses a member that has no case. */
export function unreachable(value: never): never {
  throw new Error(`broken assertion: no case for ${JSON.stringify(value)}`);
}
