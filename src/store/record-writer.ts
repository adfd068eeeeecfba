/** Bytes of one record after the other, in one buffer that is used again. */
import { assert } from "../../native-free-engine/base/assert.ts";
import { writeU32, writeVarint } from "../../native-free-engine/base/bytes.ts";

const bytesAtFirst = 64 << 10;
/** A larger buffer is let go after its record. */
const bytesKept = 4 << 20;

export class RecordWriter {
  #buffer = new Uint8Array(bytesAtFirst);
  #at = 0;

  /** Makes room for a record of at most that many bytes. */
  start(bytesAtMost: number): void {
    const size = this.#buffer.length;
    if (size < bytesAtMost || (size > bytesKept && bytesAtMost <= bytesKept)) {
      this.#buffer = new Uint8Array(Math.max(bytesAtMost, bytesAtFirst));
    }
    this.#at = 0;
  }

  /** What was written since `start`; valid until the next one. */
  take(): Uint8Array {
    return new Uint8Array(this.#buffer.buffer, 0, this.#at);
  }

  byte(value: number): void {
    this.#buffer[this.#at++] = value;
  }

  word(value: number): void {
    writeU32(this.#buffer, this.#at, value);
    this.#at += 4;
  }

  /** Seven bits a byte, the lowest first. */
  number(value: number): void {
    if (value >= 0 && value < 4294967296) {
      this.#at = writeVarint(this.#buffer, this.#at, value);
      return;
    }
    assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, "numbers of a record are whole");
    // The lowest 28 bits, so that what is above them fits bitwise operators: times are so large,
    // and a division for each of their bytes takes three times as long.
    const low = value % 0x10000000;
    const buffer = this.#buffer;
    const at = this.#at;
    buffer[at] = (low & 0x7f) | 0x80;
    buffer[at + 1] = ((low >>> 7) & 0x7f) | 0x80;
    buffer[at + 2] = ((low >>> 14) & 0x7f) | 0x80;
    buffer[at + 3] = (low >>> 21) | 0x80;
    this.#at = writeVarint(buffer, at + 4, (value - low) / 0x10000000);
  }

  bytes(value: Uint8Array): void {
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }
}
