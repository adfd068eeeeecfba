/**
 * Takes a record apart. After the first thing that cannot be, everything reads as zero and
 * `finish` says what it was: callers need no check at each step, and no loop runs away.
 */
import { readU32 } from "../../native-free-engine/base/bytes.ts";

const nothing = new Uint8Array(0);

export class RecordReader {
  #bytes: Uint8Array = nothing;
  #at = 0;
  #problem: string | undefined;
  #goesOn = false;

  start(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#problem = undefined;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** What is wrong with the record, if anything is. Also lets go of its bytes. */
  finish(): string | undefined {
    if (this.left > 0) this.fail(`${this.left} bytes too many`);
    this.#bytes = nothing;
    return this.#problem;
  }

  /** The first problem is the one that is told. */
  fail(what: string): void {
    this.#problem ??= `a record with ${what}, at byte ${this.#at}`;
    this.#at = this.#bytes.length;
  }

  byte(): number {
    if (this.left < 1) return this.#short();
    return this.#bytes[this.#at++]!;
  }

  word(): number {
    if (this.left < 4) return this.#short();
    this.#at += 4;
    return readU32(this.#bytes, this.#at - 4);
  }

  number(): number {
    // In two halves of 28 bits, since a product of doubles for each byte takes twice as long.
    const low = this.#half();
    if (!this.#goesOn) return low;
    const value = low + this.#half() * 0x10000000;
    if (this.#problem !== undefined) return 0;
    if (!this.#goesOn && value <= Number.MAX_SAFE_INTEGER) return value;
    this.fail("a number beyond 53 bits");
    return 0;
  }

  /** A count of things that take at least a byte each, so damage allocates nothing. */
  count(value: number): number {
    if (value <= this.left) return value;
    this.fail(`a count of ${value} in ${this.left} bytes`);
    return 0;
  }

  bytes(length: number): Uint8Array {
    if (length > this.left) {
      this.#short();
      return nothing;
    }
    this.#at += length;
    const { buffer, byteOffset } = this.#bytes;
    // A third of what `subarray` takes.
    return new Uint8Array(buffer, byteOffset + this.#at - length, length);
  }

  /** Up to four bytes of seven bits each; whether more of them follow is in `#goesOn`. */
  #half(): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= bytes.length) {
        this.#goesOn = false;
        return this.#short();
      }
      const byte = bytes[this.#at++]!;
      value |= (byte & 0x7f) << shift;
      this.#goesOn = byte >= 0x80;
      if (!this.#goesOn) break;
    }
    return value;
  }

  #short(): number {
    this.fail("too few bytes");
    return 0;
  }
}
