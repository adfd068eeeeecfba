/** What the operations of a row count while they run. */
export interface Tally {
  /** Gets and what they found. */
  asked: number;
  found: number;
  /** Entries of scans. */
  entries: number;
  /** Bytes of keys and values given to be written. */
  givenBytes: number;
}

export function emptyTally(): Tally {
  return { asked: 0, found: 0, entries: 0, givenBytes: 0 };
}
