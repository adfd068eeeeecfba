/**
 * Compression of single blocks: raw deflate, the only codec that is in every Node. It is asked to
 * be quick, since blocks are compressed again at each level.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";

const quick = { level: 1 };

/** The compressed form, or undefined where it saves less than an eighth. */
export function deflate(bytes: Uint8Array, at: number, length: number): Uint8Array | undefined {
  const packed = deflateRawSync(new Uint8Array(bytes.buffer, bytes.byteOffset + at, length), quick);
  return packed.length <= length - length / 8 ? plain(packed) : undefined;
}

/** Exactly `rawBytes` bytes, or undefined when the input is not what makes them. */
export function inflate(
  bytes: Uint8Array,
  at: number,
  length: number,
  rawBytes: number,
): Uint8Array | undefined {
  const packed = new Uint8Array(bytes.buffer, bytes.byteOffset + at, length);
  try {
    const raw = inflateRawSync(packed, { maxOutputLength: rawBytes });
    return raw.length === rawBytes ? plain(raw) : undefined;
  } catch {
    // Whatever zlib says of it, the block is not what was written: the caller names the place.
    return undefined;
  }
}

/** A Buffer and a Uint8Array at one place make V8 slower, so Buffers stop here. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
