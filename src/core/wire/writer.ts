/**
 * Bytes on their way out: one growing buffer that is used again and again. Numbers that the wire
 * cannot hold are bugs of the caller and are asserted on; what is only too long is `TooLong`.
 */
import { assert } from "../../../native-free-engine/base/assert.ts";
import { frameBytesMax } from "../limits.ts";

/** Elements of one list. Frames of ours never come near; it bounds what a decoder may build. */
export const countMax = 1 << 16;

/** A message that no frame can hold. Nobody could read it, so it must not be sent. */
export class TooLong extends Error {
  override readonly name = "TooLong";
}

const encoder = new TextEncoder();
const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** The value of each hex digit by its character code; 255 for all others. */
const digits = new Uint8Array(128).fill(255);
for (let digit = 0; digit < 16; digit++) digits["0123456789abcdef".charCodeAt(digit)] = digit;

export class Writer {
  bytes: Uint8Array;
  at = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes sure that so many bytes more can be written. */
  room(length: number): void {
    if (this.at + length > this.bytes.length) this.#grow(this.at + length);
  }

  u8(value: number): void {
    if (this.at === this.bytes.length) this.#grow(this.at + 1);
    this.bytes[this.at++] = value;
  }

  u32(value: number): void {
    this.room(4);
    const { bytes, at } = this;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.at = at + 4;
  }

  /** LEB128 of an unsigned integer of up to 53 bits. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "the wire holds whole numbers from 0");
    this.room(8);
    const { bytes } = this;
    let at = this.at;
    let rest = value;
    if (value >= 0x10000000) {
      // The lowest 28 bits; what is above them fits bitwise operators again.
      const low = value % 0x10000000;
      bytes[at] = (low & 0x7f) | 0x80;
      bytes[at + 1] = ((low >>> 7) & 0x7f) | 0x80;
      bytes[at + 2] = ((low >>> 14) & 0x7f) | 0x80;
      bytes[at + 3] = (low >>> 21) | 0x80;
      at += 4;
      rest = (value - low) / 0x10000000;
    }
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.at = at;
  }

  /** A stretch of time by the sender's clock: rounded up, so that it is never longer cut short. */
  millis(value: number): void {
    this.varint(value > 0 ? Math.ceil(value) : 0);
  }

  /** The length of a list whose elements follow. */
  count(value: number): void {
    if (value > countMax) throw new TooLong(`a list of ${value}`);
    this.varint(value);
  }

  /** Two words as eight bytes, the most significant first, as tokens and hashes are printed. */
  words(high: number, low: number): void {
    this.room(8);
    const { bytes, at } = this;
    bytes[at] = high >>> 24;
    bytes[at + 1] = high >>> 16;
    bytes[at + 2] = high >>> 8;
    bytes[at + 3] = high;
    bytes[at + 4] = low >>> 24;
    bytes[at + 5] = low >>> 16;
    bytes[at + 6] = low >>> 8;
    bytes[at + 7] = low;
    this.at = at + 8;
  }

  /** So many bytes from their hex digits: 16 digits of an actor, 32 of a cluster's id. */
  hex(text: string, length: number): void {
    assert(text.length === 2 * length, "an id has a fixed number of hex digits");
    this.room(length);
    const { bytes, at } = this;
    let seen = 0;
    for (let i = 0; i < length; i++) {
      const high = digits[text.charCodeAt(2 * i) & 127]!;
      const low = digits[text.charCodeAt(2 * i + 1) & 127]!;
      seen |= high | low;
      bytes[at + i] = (high << 4) | low;
    }
    assert(seen < 16, "an id is made of lower-case hex digits");
    this.at = at + length;
  }

  float64(value: number): void {
    double[0] = value;
    this.raw(doubleBytes);
  }

  /** Bytes whose length the reader knows. */
  raw(value: Uint8Array): void {
    const { length } = value;
    this.room(length);
    const { bytes, at } = this;
    // Setting up a copy of few bytes costs more than the loop.
    if (length < 48) for (let i = 0; i < length; i++) bytes[at + i] = value[i]!;
    else bytes.set(value, at);
    this.at = at + length;
  }

  /** Bytes behind their length. */
  block(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  /** UTF-8 behind its length in bytes. */
  text(value: string): void {
    const { length } = value;
    const start = this.at;
    this.varint(length);
    this.room(length);
    const { bytes, at } = this;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) {
        this.at = start;
        this.block(encoder.encode(value));
        return;
      }
      bytes[at + i] = code;
    }
    this.at = at + length;
  }

  #grow(needed: number): void {
    if (needed > frameBytesMax) throw new TooLong(`a frame of more than ${frameBytesMax} bytes`);
    const grown = new Uint8Array(Math.min(frameBytesMax, Math.max(needed, 2 * this.bytes.length)));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }
}
