/**
 * Buffers that a merge reads its runs into, used again and again: fresh ones of 128 KiB each wait
 * for the garbage collector of the thread by tens of megabytes. What a cursor is done with may
 * still be looked at, since values are copied only when their block is written: so it rests here
 * until the merge says that nothing from before is needed any more.
 */

const runBytes = 128 << 10;
/** A merge has few sources, and each has one run. */
const freeMax = 32;

export class RunBuffers {
  readonly #free: Uint8Array[] = [];
  #resting: Uint8Array[] = [];

  /** At least that many bytes; what they say is old. */
  take(length: number): Uint8Array {
    if (length > runBytes) return freshBytes(length);
    return this.#free.pop() ?? freshBytes(runBytes);
  }

  rest(bytes: Uint8Array): void {
    if (bytes.length === runBytes) this.#resting.push(bytes);
  }

  /** Nothing points into what rests. */
  reuse(): void {
    if (this.#resting.length === 0) return;
    for (const bytes of this.#resting) if (this.#free.length < freeMax) this.#free.push(bytes);
    this.#resting = [];
  }
}

/** Not zeroed, because a read fills it; and of its own, never of Node's shared pool. */
export function freshBytes(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}
