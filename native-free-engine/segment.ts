/** A stretch of the sequence: a memtable, and the commit log that its arena is the image of. */
import type { Log } from "./log/log.ts";
import type { Memtable } from "./memtable.ts";

export interface Segment {
  readonly memtable: Memtable;
  readonly log: Log;
}
