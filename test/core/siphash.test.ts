/** SipHash-2-4 against the vectors of its authors, and for every length. */
import { expect, test } from "vitest";
import { sipHash } from "../../src/core/siphash.ts";

const key = Uint8Array.from({ length: 16 }, (_, i) => i);
const input = Uint8Array.from({ length: 64 }, (_, i) => i);

/** Of the first 0, 1, 2 … bytes of 00 01 02 …, as in the paper's reference code. */
const vectors = [
  ...["726fdb47dd0e0e31", "74f839c593dc67fd", "0d6c8009d9a94f5a", "85676696d7fb7e2d"],
  ...["cf2794e0277187b7", "18765564cd99a68d", "cbc9466e58fee3ce", "ab0200f58b01d137"],
  ...["93f5f5799a932462", "9e0082df0ba9e4b0", "7a5dbbc594ddb9f3", "f4b32f46226bada7"],
  ...["751e8fbc860ee5fb", "14ea5627c0843d90", "f723ca908e7af2ee", "a129ca6149be45e5"],
];

test("the vectors of the paper", () => {
  expect(vectors.map((_, length) => print(sipHash(key, input, length)))).toEqual(vectors);
});

test("a plain version in BigInt says the same for every length and any key", () => {
  let state = 7;
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 24;
  };
  for (let length = 0; length <= 64; length++) {
    const anyKey = Uint8Array.from({ length: 16 }, next);
    const bytes = Uint8Array.from({ length }, next);
    expect(print(sipHash(anyKey, bytes))).toBe(plain(anyKey, bytes));
  }
});

function print({ high, low }: { readonly high: number; readonly low: number }): string {
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}

function plain(anyKey: Uint8Array, bytes: Uint8Array): string {
  const word = (from: Uint8Array, at: number): bigint => {
    let value = 0n;
    for (let i = 7; i >= 0; i--) value = (value << 8n) | BigInt(from[at + i] ?? 0);
    return value;
  };
  const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
  const turn = (value: bigint, by: bigint): bigint =>
    wrap(value << by) | (wrap(value) >> (64n - by));
  const [k0, k1] = [word(anyKey, 0), word(anyKey, 8)];
  let [a, b, c, d] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const round = (): void => {
    a = wrap(a + b);
    c = wrap(c + d);
    b = turn(b, 13n) ^ a;
    d = turn(d, 16n) ^ c;
    a = wrap(turn(a, 32n) + d);
    c = wrap(c + b);
    b = turn(b, 17n) ^ c;
    d = turn(d, 21n) ^ a;
    c = turn(c, 32n);
  };
  const whole = bytes.length - (bytes.length % 8);
  for (let at = 0; at <= whole; at += 8) {
    const last = at === whole ? BigInt(bytes.length & 255) << 56n : 0n;
    const input = word(bytes, at) | last;
    d ^= input;
    round();
    round();
    a ^= input;
  }
  c ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  return (a ^ b ^ c ^ d).toString(16).padStart(16, "0");
}
