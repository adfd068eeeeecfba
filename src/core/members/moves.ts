/** Finishing moves. To be written. */
import type { Millis } from "../ids.ts";

export class Moves {
  tick(_now: Millis): void {}
}
