/**
 * Values leaving the engine are copies that the caller owns. Small ones share 64 KiB slabs: an own
 * buffer for 100 bytes costs about 250 ns, a place in a slab about 90. Like Node's Buffers, such
 * a value must not have its `.buffer` transferred to another thread.
 */
const slabBytes = 64 << 10;
/** From here on a value gets a buffer of its own, so that keeping it pins nothing else. */
const ownBytes = 4 << 10;

let slab = new ArrayBuffer(0);
let slabView = new Uint8Array(slab);
let used = 0;

/** A copy of `bytes[at, at + length)`. */
export function copyOut(bytes: Uint8Array, at: number, length: number): Uint8Array {
  if (length >= ownBytes) return ownCopy(bytes, at, length);
  if (used + length > slab.byteLength) newSlab();
  const place = used;
  used += length;
  slabView.set(new Uint8Array(bytes.buffer, bytes.byteOffset + at, length), place);
  return new Uint8Array(slab, place, length);
}

function ownCopy(bytes: Uint8Array, at: number, length: number): Uint8Array {
  // Not zeroed: every byte is overwritten on the next line.
  const own = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  own.set(new Uint8Array(bytes.buffer, bytes.byteOffset + at, length));
  return own;
}

function newSlab(): void {
  slab = Buffer.allocUnsafeSlow(slabBytes).buffer as ArrayBuffer;
  slabView = new Uint8Array(slab);
  used = 0;
}
