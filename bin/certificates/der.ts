/**
 * DER, the encoding of certificates (X.690): each element is a tag, a length and its content, which
 * may be elements again. Only what X.509 needs: writing its types, and finding an element's parts.
 */

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(tags.sequence, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Uint8Array {
  return element(tags.set, ...parts);
}

/** The number that these bytes are, read as unsigned, in its shortest form. */
export function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
  // A leading bit would be read as a sign.
  const sign = (digits[0] ?? 0) >= 0x80 ? [Uint8Array.of(0)] : [];
  return element(tags.integer, ...sign, digits);
}

export function yes(): Uint8Array {
  return element(tags.boolean, Uint8Array.of(0xff));
}

export function octets(content: Uint8Array): Uint8Array {
  return element(tags.octetString, content);
}

export function bits(content: Uint8Array, unused = 0): Uint8Array {
  return element(tags.bitString, Uint8Array.of(unused), content);
}

export function text(content: string): Uint8Array {
  return element(tags.utf8String, Buffer.from(content));
}

/** An object identifier as people write it: `1.2.840.10045.4.3.2`. */
export function identifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return element(
    tags.objectIdentifier,
    Uint8Array.from([40 * first + second, ...rest].flatMap(base128)),
  );
}

/** Whole seconds; from 2050 on with four digits of the year, as RFC 5280 demands. */
export function time(at: Date): Uint8Array {
  const digits = at.toISOString().replace(/\.\d+|[-:T]/g, "");
  if (at.getUTCFullYear() >= 2050) return element(tags.generalizedTime, Buffer.from(digits));
  return element(tags.utcTime, Buffer.from(digits.slice(2)));
}

/** A part with a number in place of a type. `explicit` ones hold a whole element. */
export function part(
  number: number,
  content: Uint8Array,
  form: "explicit" | "implicit",
): Uint8Array {
  return element((form === "explicit" ? 0xa0 : 0x80) | number, content);
}

/** The elements inside an element, each with its tag and length; none where it ends too early. */
export function partsOf(whole: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = whole.length - contentOf(whole).length;
  while (at < whole.length) {
    const content = contentOf(whole.subarray(at));
    const next = content.byteOffset - whole.byteOffset + content.length;
    if (next <= at || next > whole.length) return [];
    parts.push(whole.subarray(at, next));
    at = next;
  }
  return parts;
}

function contentOf(bytes: Uint8Array): Uint8Array {
  const first = bytes[1] ?? 0;
  if (first < 0x80) return bytes.subarray(2, 2 + first);
  const from = 2 + (first & 0x7f);
  const length = bytes.subarray(2, from).reduce((total, byte) => 256 * total + byte, 0);
  return bytes.subarray(from, from + length);
}

function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((total, { length }) => total + length, 0);
  return Buffer.concat([Uint8Array.from([tag, ...lengthOf(length)]), ...parts]);
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

/** Seven bits a byte, all but the last with the highest bit set. */
function base128(value: number): readonly number[] {
  const digits = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}
