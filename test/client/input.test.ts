/** What callers pass in: what is refused, with which code and in which words. */
import { describe, expect, test } from "vitest";
import { Context } from "../../src/client/context.ts";
import { parseEndpoints } from "../../src/client/endpoints.ts";
import * as input from "../../src/client/input.ts";

function refused(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return expect.unreachable("it was accepted");
}

describe("endpoints", () => {
  test("come with commas or as a list, each once, with the usual port filled in", () => {
    expect(parseEndpoints("a:1, b ,[::1]:3,,a:1")).toEqual(["a:1", "b:7400", "[::1]:3"]);
    expect(parseEndpoints(["127.0.0.1", "[fe80::1]"])).toEqual([
      "127.0.0.1:7400",
      "[fe80::1]:7400",
    ]);
  });

  test.each([
    "",
    ",",
    "a:0",
    "a:65536",
    "a:b",
    "a:1:2",
    "http://a:1",
    "a b:1",
    "[::1",
    "::1",
    // Each of these is no host of a URL, or more than one.
    "[::::]:1",
    "user@a:1",
    "a?b:1",
    "a#b:1",
    "a\\b:1",
    "a%zz:1",
    "a<b:1",
  ])("%j is none", (given) => {
    expect(refused(() => parseEndpoints(given))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("of another type are a TypeError", () => {
    for (const given of [undefined, null, 7400, [7400], {}]) {
      expect(refused(() => parseEndpoints(given as never))).toBeInstanceOf(TypeError);
    }
  });
});

describe("keys and values", () => {
  test("are copied, also out of a Buffer, whose slice would be a view", () => {
    for (const given of [new Uint8Array([1, 2]), Buffer.from([1, 2])]) {
      const copy = input.bytesOf(given, "key");
      given[0] = 9;
      expect([...copy]).toEqual([1, 2]);
      expect(Object.getPrototypeOf(copy)).toBe(Uint8Array.prototype);
    }
  });

  test.each([
    ["KEY_EMPTY", () => input.keyFrom("", "")],
    ["KEY_TOO_LARGE", () => input.keyFrom("", "x".repeat(1025))],
    ["KEY_TOO_LARGE", () => input.prefixFrom("x".repeat(1025))],
    ["KEY_ENCODING", () => input.keyFrom("", "\ud800")],
    ["KEY_ENCODING", () => input.valueFrom("\udc00")],
    ["VALUE_TOO_LARGE", () => input.valueFrom(new Uint8Array((1 << 20) + 1))],
    ["CONTEXT_TOO_LARGE", () => input.contextFrom(new Context(new Uint8Array(8193)))],
    ["CONTEXT_INVALID", () => Context.parse("not base64!")],
    ["CONTEXT_INVALID", () => Context.parse("abcde")],
    ["INVALID_ARGUMENT", () => input.checkBucket("")],
    ["INVALID_ARGUMENT", () => input.checkBucket("a\0b")],
    ["INVALID_ARGUMENT", () => input.checkBucket("ü".repeat(33))],
  ])("%s", (code, act) => {
    expect(refused(act)).toMatchObject({ code, applied: "no" });
  });

  test("at their limits are accepted", () => {
    expect(input.keyFrom("", "x".repeat(1024)).bytes.length).toBe(1024);
    expect(input.valueFrom(new Uint8Array(1 << 20)).length).toBe(1 << 20);
    expect(input.prefixFrom(undefined).length).toBe(0);
    expect(() => input.checkBucket("ü".repeat(32))).not.toThrow();
  });

  test("of another type are a TypeError that says which", () => {
    expect(refused(() => input.keyFrom("", 7 as never))).toMatchObject({
      name: "TypeError",
      message: "a key is a string or a Uint8Array, not number",
    });
    expect(refused(() => input.contextFrom("text" as never))).toBeInstanceOf(TypeError);
    expect(refused(() => input.signalFrom({} as never))).toBeInstanceOf(TypeError);
    expect(refused(() => input.checkBucket(1 as never))).toBeInstanceOf(TypeError);
  });
});

describe("numbers", () => {
  // A string would pass the comparisons, and be glued to the time of day.
  test.each([9, 60_001, Number.NaN, -1, "100", {}, true])("timeoutMs is not %j", (given) => {
    expect(refused(() => input.timeoutFrom(given as never))).toMatchObject({
      code: "DEADLINE_INVALID",
      message: expect.stringContaining("10 to 60000"),
    });
  });

  // A whole number that the wire cannot hold would fail where nobody expects it.
  test.each([0, -1, 1.5, 8, 1e300, "2", Number.NaN])("r and w are not %j", (given) => {
    for (const name of ["r", "w"] as const) {
      expect(refused(() => input.quorumFrom(name, given as never))).toMatchObject({
        code: "QUORUM_INVALID",
        message: expect.stringContaining(`${name} is`),
      });
    }
  });

  test.each([0, -5, Number.NEGATIVE_INFINITY, 4e14, "5"])("ttlMs is not %j", (given) => {
    expect(refused(() => input.ttlFrom(given as never))).toMatchObject({ code: "TTL_INVALID" });
  });

  test.each([-1, 0.5, "5"])("limit is not %j", (given) => {
    expect(refused(() => input.limitFrom(given as never))).toMatchObject({ code: "RANGE_INVALID" });
  });

  test("within their bounds are taken", () => {
    expect([
      input.timeoutFrom(10),
      input.timeoutFrom(60_000),
      input.timeoutFrom(undefined),
    ]).toEqual([10, 60_000, 5000]);
    expect([input.quorumFrom("r", 7), input.ttlFrom(0.5)]).toEqual([7, 1]);
    // Never, and what the bucket says.
    expect([input.ttlFrom(Number.POSITIVE_INFINITY), input.ttlFrom(undefined)]).toEqual([
      ...[0, undefined],
    ]);
    expect(input.limitFrom(undefined)).toBe(Number.POSITIVE_INFINITY);
  });
});

test.each([
  { routing: "fast" },
  { requestsMax: 0 },
  { requestsMax: Number.NaN },
  { token: "" },
  // It would begin another header.
  { token: "a\r\nb: c" },
  { token: "ü" },
])("connect does not take %j", (options) => {
  expect(refused(() => input.settingsFrom(options as never))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});
