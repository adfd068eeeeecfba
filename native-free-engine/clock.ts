/**
 * The Clock port: what the engine knows of time. Wall time decides expiry only; the other two
 * pace work and never order anything.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds from an arbitrary start, with fractions; never goes back. */
  elapsed(): number;
  /** Resolves after at least that long; 0 means after one turn of the event loop. */
  sleep(ms: number): Promise<void>;
}
