/**
 * The numbered records that the demo's writer stores while it waits to be killed. Key and value
 * follow from the number alone, so that any other process knows what must be there, to the byte.
 */

export function recordKey(n: number): string {
  return `visit/${String(n).padStart(9, "0")}`;
}

/** 100 to 355 bytes that depend on the number in every place. */
export function recordValue(n: number): Uint8Array {
  const bytes = new Uint8Array(100 + (Math.imul(n, 2654435761) >>> 24));
  let state = n + 1;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
