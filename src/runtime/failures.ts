/**
 * Who fails to prove themselves again and again is answered ever later: a guess costs time, and a
 * program that retries with an old token costs others nothing. Right credentials are never delayed,
 * also from an address that others misuse.
 */

/** So many are answered at once within the window; each later one waits twice as long. */
const freeMax = 10;
const windowMs = 60_000;
const delayMsMin = 100;
const delayMsMax = 4_000;
/** Addresses that are remembered; the one that failed longest ago is forgotten first. */
const addressesMax = 4_096;

interface Record {
  failures: number;
  /** The window begins with the first failure, and again when it has passed. */
  since: number;
}

export class Failures {
  readonly #records = new Map<string, Record>();

  /** Counts one more failure of the address: for how long its answer should wait. */
  delayOf(address: string, now: number): number {
    let record = this.#records.get(address);
    this.#records.delete(address);
    if (record === undefined || now - record.since > windowMs) record = { failures: 0, since: now };
    record.failures += 1;
    this.#records.set(address, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > addressesMax && oldest !== undefined) this.#records.delete(oldest);
    const extra = record.failures - freeMax;
    return extra <= 0 ? 0 : Math.min(delayMsMax, delayMsMin * 2 ** Math.min(extra - 1, 10));
  }
}
