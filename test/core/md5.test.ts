/** MD5 against the examples of RFC 1321, and against the platform's for every length of padding. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { keyOf } from "../../src/core/key.ts";
import { md5Head, md5Hex } from "../../src/core/ring/md5.ts";
import { randomBytes, randomFrom, seed } from "../support/random.ts";

const utf8 = new TextEncoder();

test("the examples of RFC 1321", () => {
  const digits = "12345678901234567890123456789012345678901234567890123456789012345678901234567890";
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const examples = [
    ["", "d41d8cd98f00b204e9800998ecf8427e"],
    ["a", "0cc175b9c0f1b6a831c399e269772661"],
    ["abc", "900150983cd24fb0d6963f7d28e17f72"],
    ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
    ["abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"],
    [letters, "d174ab98d277d9f5a5611c2c9f419d9f"],
    [digits, "57edf4a22be3c955ac49da2e2107b67a"],
  ] as const;
  for (const [text, digest] of examples) expect(md5Hex(utf8.encode(text))).toBe(digest);
});

test("every length around the edges of blocks", () => {
  const random = randomFrom(seed);
  for (let length = 0; length < 200; length++) {
    const bytes = randomBytes(random, length);
    const expected = createHash("md5").update(bytes).digest("hex");
    expect(md5Hex(bytes), `length ${length}, seed ${seed}`).toBe(expected);
    const { high, low } = md5Head(bytes.subarray(0, length >> 1), bytes.subarray(length >> 1));
    const head = [high, low].map((word) => word.toString(16).padStart(8, "0")).join("");
    expect(head).toBe(expected.slice(0, 16));
  }
});

test("a key in a named bucket lies where its bucket, a zero byte and the key hash to", () => {
  const { high } = keyOf("carts", utf8.encode("k"));
  const expected = createHash("md5").update("carts\0k").digest().readUInt32BE(0);
  expect(high).toBe(expected);
});
