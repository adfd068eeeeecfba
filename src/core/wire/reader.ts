/**
 * Bytes on their way in. Every step is checked against the end, and whatever a writer of ours would
 * not have written is `Malformed`: nothing is guessed, and no list is believed before its elements
 * could be there. Only decoders see the exception; they turn it into a value.
 *
 * Keys and values outlive the frame, which is a view of a whole read of a socket. The first that is
 * taken from a message copies the rest of the message once, small ones side by side into a slab,
 * and all are views of that. A copy for each would cost 600 ns at 100 bytes, where a view is 30 ns;
 * views of the frame would hold 64 KiB for the shortest value.
 */
import { countMax } from "./writer.ts";

export class Malformed extends Error {
  override readonly name = "Malformed";
  /** The offset at which nothing made sense any more. */
  readonly place: number;

  constructor(place: number, why: string) {
    super(why);
    this.place = place;
  }
}

const slabBytes = 16 << 10;
const sharedBytesMax = 2 << 10;
let slab = new Uint8Array(slabBytes);
let slabAt = 0;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);
const none = new Uint8Array(0);

/** Actors seen of late, by a hash of their two words, so that few are ever spelt out again. */
const actorSlots = 1024;
const actorHighs = new Int32Array(actorSlots);
const actorLows = new Int32Array(actorSlots);
const actorNames: string[] = new Array(actorSlots).fill("0".repeat(16));

export class Reader {
  bytes: Uint8Array;
  at: number;
  /** Nothing is read from here on: the end of the message in hand. */
  end: number;
  /** From offsets in `bytes` to those in what the caller gave. */
  #shift = 0;
  #isOwned = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  /** The offset in what the caller gave. */
  get place(): number {
    return this.at + this.#shift;
  }

  fail(why: string, place = this.place): never {
    throw new Malformed(place, why);
  }

  /** The whole of a message must have been read. */
  finish(): void {
    if (this.at !== this.end) this.fail(`${this.end - this.at} bytes too many`);
  }

  /** Goes to a message in the frame itself. */
  enter(frame: Uint8Array, at: number, end: number): void {
    this.bytes = frame;
    this.at = at;
    this.end = end;
    this.#shift = 0;
    this.#isOwned = false;
  }

  u8(): number {
    if (this.at >= this.end) this.fail("cut short");
    return this.bytes[this.at++]!;
  }

  /** A byte that names one of so many things, from 0. */
  below(bound: number, what: string): number {
    const value = this.u8();
    if (value < bound) return value;
    return this.fail(`${value} is no ${what}`, this.place - 1);
  }

  u32(): number {
    this.#need(4);
    const { bytes, at } = this;
    this.at = at + 4;
    const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    return (low | (bytes[at + 3]! << 24)) >>> 0;
  }

  /** The most significant byte first. */
  word(): number {
    this.#need(4);
    const { bytes, at } = this;
    this.at = at + 4;
    const high = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8);
    return (high | bytes[at + 3]!) >>> 0;
  }

  varint(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    const start = this.place - 1;
    let value = first & 0x7f;
    let scale = 128;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte !== 0 && value <= Number.MAX_SAFE_INTEGER) return value;
        break;
      }
      scale *= 128;
      if (scale > 2 ** 49) break;
    }
    return this.fail("a number that is too large or in more bytes than it needs", start);
  }

  /** How many elements follow, each of at least so many bytes. */
  count(bytesMin: number, countAtMost = countMax): number {
    const start = this.place;
    const count = this.varint();
    const rest = this.end - this.at;
    if (count <= countAtMost && count * bytesMin <= rest) return count;
    return this.fail(`${count} elements, where ${rest} bytes remain`, start);
  }

  /** Sixteen digits; the same string for the same actor, mostly. */
  actor(): string {
    const high = this.word() | 0;
    const low = this.word() | 0;
    const slot = (low ^ (low >>> 11) ^ Math.imul(high, 31)) & (actorSlots - 1);
    if (actorHighs[slot] !== high || actorLows[slot] !== low) {
      actorHighs[slot] = high;
      actorLows[slot] = low;
      actorNames[slot] = hexOf(high) + hexOf(low);
    }
    return actorNames[slot]!;
  }

  hex(length: number): string {
    this.#need(length);
    let text = "";
    for (let i = 0; i < length; i++) text += this.bytes[this.at++]!.toString(16).padStart(2, "0");
    return text;
  }

  float64(): number {
    for (let i = 0; i < 8; i++) doubleBytes[i] = this.u8();
    return double[0]!;
  }

  /** Bytes that stay what they are when the frame is gone. */
  block(): Uint8Array {
    const length = this.#length();
    if (length === 0) return none;
    if (!this.#isOwned) this.#own();
    const { bytes, at } = this;
    this.at = at + length;
    return new Uint8Array(bytes.buffer, bytes.byteOffset + at, length);
  }

  text(): string {
    const start = this.place;
    const length = this.#length();
    if (length === 0) return "";
    const end = this.at + length;
    try {
      const text = decoder.decode(this.bytes.subarray(this.at, end));
      this.at = end;
      return text;
    } catch {
      return this.fail("text that is no UTF-8", start);
    }
  }

  #length(): number {
    const start = this.place;
    const length = this.varint();
    const rest = this.end - this.at;
    if (length <= rest) return length;
    return this.fail(`a length of ${length}, where ${rest} bytes remain`, start);
  }

  #need(length: number): void {
    if (this.end - this.at < length) this.fail("cut short");
  }

  #own(): void {
    const start = this.at;
    const { buffer, byteOffset } = this.bytes;
    const rest = new Uint8Array(buffer, byteOffset + start, this.end - start);
    if (rest.length > sharedBytesMax) {
      this.bytes = new Uint8Array(rest);
      this.at = 0;
    } else {
      if (slabAt + rest.length > slabBytes) {
        slab = new Uint8Array(slabBytes);
        slabAt = 0;
      }
      slab.set(rest, slabAt);
      this.bytes = slab;
      this.at = slabAt;
      slabAt += rest.length;
    }
    this.end = this.at + rest.length;
    this.#shift += start - this.at;
    this.#isOwned = true;
  }
}

function hexOf(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
