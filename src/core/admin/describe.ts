/** Versions in a form for people and JSON: what `kvctl versions` shows of each replica. */
import { isTombstone, type Versions } from "../clock/versions.ts";

export interface DescribedVersions {
  /** Pairs of actor and counter: the version vector. */
  readonly vector: readonly (readonly [actor: string, counter: number])[];
  /** Superseded events beyond the vector. */
  readonly dots: readonly (readonly [actor: string, counter: number])[];
  readonly siblings: readonly {
    readonly dot: readonly [actor: string, counter: number];
    readonly time: number;
    readonly expiresAt: number;
    readonly bytes: number;
    /** The value in hex, cut to its first 64 bytes. */
    readonly head: string;
  }[];
  readonly isTombstone: boolean;
}

const headBytes = 64;

export function describeVersions(versions: Versions): DescribedVersions {
  return {
    vector: versions.vector.map(({ actor, counter }) => [actor, counter]),
    dots: versions.dots.map(({ actor, counter }) => [actor, counter]),
    siblings: versions.siblings.map(({ dot, time, expiresAt, value }) => ({
      dot: [dot.actor, dot.counter],
      time,
      expiresAt,
      bytes: value.length,
      head: hexOf(value.subarray(0, headBytes)),
    })),
    isTombstone: isTombstone(versions),
  };
}

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
