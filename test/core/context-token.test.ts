/** Sealed contexts: given back as they were, for their key and cluster, unaltered, or refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CausalContext, emptyContext } from "../../src/core/clock/versions.ts";
import {
  type MacKey,
  openContext,
  readContext,
  sealContext,
} from "../../src/core/context-token.ts";
import { keyOf } from "../../src/core/key.ts";
import { contextBytesMax } from "../../src/core/limits.ts";
import { anyContext, anyKey } from "./any-message.ts";

const seed = 20251121;
const clusterId = "0123456789abcdef0123456789abcdef";
const cart = keyOf("carts", new TextEncoder().encode("ann"));
const place = { clusterId, key: cart };
const keys: [MacKey, MacKey] = [macKey(8), macKey(7)];

/** However many the replicas remember. */
const operationsKept = 8;

const context: CausalContext = {
  vector: [{ actor: "0192a3b4c5d6e7f8", counter: 41, time: 1_763_700_000_000 }],
  dots: [],
  operations: [{ at: 1_763_700_000_000, nonce: 5, retried: false }],
};
const seen = { context, fastest: 3 };

function macKey(number: number): MacKey {
  return { number, bytes: new Uint8Array(16).fill(number) };
}

function codeOf(token: Uint8Array, other: Partial<typeof place> = {}, accepted = keys): string {
  const opened = openContext(token, { ...place, ...other }, accepted);
  return opened.kind === "failed" ? opened.code : opened.kind;
}

test("a context comes back as it was sealed, for any key", () => {
  const property = fc.property(anyContext, anyKey, fc.nat({ max: 900 }), (drawn, key, fastest) => {
    const any = { ...drawn, operations: drawn.operations.slice(0, operationsKept) };
    const token = sealContext({ context: any, fastest }, { clusterId, key }, keys);
    const opened = openContext(token, { clusterId, key }, keys);
    expect(opened).toEqual({ kind: "context", context: any, fastest });
    expect(readContext(token)).toEqual(any);
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("of the operations the newest go along, and all that were retried", () => {
  const operations = Array.from({ length: 40 }, (_, i) => {
    return { at: 1_763_700_000_000 - i, nonce: i, retried: i % 10 === 9 };
  });
  const token = sealContext({ context: { ...context, operations }, fastest: 3 }, place, keys);
  const kept = operations.filter(({ retried }, i) => retried || i < operationsKept);
  expect(readContext(token)).toEqual({ ...context, operations: kept });
  expect(openContext(token, place, keys)).toMatchObject({ context: { operations: kept } });
});

test("a context that is too long leaves out what it can do without", () => {
  const actorOf = (i: number): string => (i + 1).toString(16).padStart(16, "0");
  const times = Array.from({ length: 520 }, (_, i) => {
    return { actor: actorOf(i), counter: i + 1, time: 1_763_700_000_000 };
  });
  const long = { ...context, vector: times };
  const token = sealContext({ context: long, fastest: 3 }, place, keys);
  expect(token.length).toBeLessThanOrEqual(contextBytesMax);
  const vector = times.map((entry) => ({ ...entry, time: 0 }));
  const opened = openContext(token, place, keys);
  expect(opened).toMatchObject({ context: { vector, dots: [], operations: [] } });
});

describe("a context is refused", () => {
  const token = sealContext(seen, place, keys);

  test("of another key", () => {
    const others = [keyOf("", cart.bytes), keyOf("carts", new Uint8Array([1]))];
    expect(others.map((key) => codeOf(token, { key }))).toEqual(Array(2).fill("CONTEXT_WRONG_KEY"));
  });

  test("of another key whose token begins alike", () => {
    const key = { ...keyOf("", new Uint8Array([1])), high: cart.high, low: cart.low };
    expect(codeOf(token, { key })).toBe("CONTEXT_INVALID");
  });

  test("of another cluster, also one whose id begins alike", () => {
    expect(codeOf(token, { clusterId: "f".repeat(32) })).toBe("CONTEXT_WRONG_CLUSTER");
    expect(codeOf(token, { clusterId: `${clusterId.slice(0, 31)}0` })).toBe("CONTEXT_INVALID");
  });

  test("with any bit flipped, any end cut off, or something added", () => {
    for (let bit = 0; bit < 8 * token.length; bit++) {
      const forged = token.slice();
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codeOf(forged)).toMatch(/^CONTEXT_/);
    }
    for (let length = 0; length < token.length; length++) {
      expect(codeOf(token.subarray(0, length))).toBe("CONTEXT_INVALID");
    }
    expect(codeOf(Uint8Array.from([...token, 0]))).toBe("CONTEXT_INVALID");
  });

  test("that is longer than any of ours", () => {
    expect(codeOf(new Uint8Array(contextBytesMax + 1).fill(1))).toBe("CONTEXT_TOO_LARGE");
    expect(codeOf(new Uint8Array(contextBytesMax).fill(1))).toBe("CONTEXT_WRONG_CLUSTER");
  });

  test("with words that say what to do", () => {
    const opened = openContext(token.slice(1), place, keys);
    expect(opened).toMatchObject({ applied: "no", message: /read the key again/ });
  });
});

test("the last two keys are accepted, and older ones are not", () => {
  const token = sealContext(seen, place, keys);
  expect(codeOf(token, {}, [macKey(9), macKey(8)])).toBe("context");
  expect(codeOf(token, {}, [macKey(10), macKey(9)])).toBe("CONTEXT_INVALID");
});

test("the number of a key may go beyond a byte", () => {
  const token = sealContext(seen, place, [macKey(300)]);
  expect(codeOf(token, {}, [macKey(301), macKey(300)])).toBe("context");
});

test("what is no token reads as a context that knows nothing", () => {
  for (const length of [0, 5, 17, 30]) {
    expect(readContext(new Uint8Array(length).fill(1))).toEqual(emptyContext);
  }
});
