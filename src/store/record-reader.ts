/**
 * Takes a record apart. After the first thing that cannot be, everything reads as zero and
 * `finish` says what it was: callers need no check at each step, and no loop runs away.
 */
import { readU32 } from "../../native-free-engine/base/bytes.ts";

const nothing = new Uint8Array(0);
/** Seven bits a byte: a safe integer needs no more. */
const numberBytesMax = 8;

export class RecordReader {
  #bytes: Uint8Array = nothing;
  #at = 0;
  #problem: string | undefined;

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
    let value = 0;
    let scale = 1;
    for (let i = 0; i < numberBytesMax; i++) {
      if (this.#at >= this.#bytes.length) return this.#short();
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value <= Number.MAX_SAFE_INTEGER) return value;
        break;
      }
      scale *= 128;
    }
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
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #short(): number {
    this.fail("too few bytes");
    return 0;
  }
}
