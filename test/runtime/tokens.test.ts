/** The token file: what it may hold; all that is wrong is said, and no token is repeated. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseStrictJson } from "../../src/runtime/strict-json.ts";
import { parseScope, parseTokens } from "../../src/runtime/tokens.ts";

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");
const sha256 = hashOf("t0ken");
const good = { name: "ada", sha256, role: "write" };

const parsed = (...tokens: object[]) => parseTokens(JSON.stringify({ tokens }), "f.json");

test("a token is found by its hash, and nothing else is", () => {
  const book = parsed(good, { name: "bob", certificate: "bob", role: "read" });
  expect(book.find("t0ken")).toMatchObject({ name: "ada", role: "write", expires: Infinity });
  for (const wrong of ["", "t0ke", "t0kenn", sha256]) expect(book.find(wrong)).toBeUndefined();
  expect(book.ofCertificate("bob")).toMatchObject({ role: "read" });
  expect(book.ofCertificate("ada")).toBeUndefined();
});

test("an entry is followed to its successor; one for another token is not", () => {
  const before = parsed(good).find("t0ken");
  if (before === undefined) return expect.unreachable("it is there");
  expect(parsed({ ...good, role: "read" }).successorOf(before)?.role).toBe("read");
  expect(parsed({ ...good, sha256: hashOf("new") }).successorOf(before)).toBeUndefined();
  expect(parsed({ ...good, name: "eve" }).successorOf(before)).toBeUndefined();
  const turned = { name: "ada", certificate: "ada", role: "write" };
  expect(parsed(turned).successorOf(before)).toBeUndefined();
});

describe("each of these is refused, and says why", () => {
  test.each([
    ["{", /f\.json/],
    ["[]", /must be \{"tokens": \[…\]\}/],
    ['{"tokens": {}}', /must be/],
    ['{"tokens": [], "more": 1}', /must be/],
    ['{"tokens": [], "tokens": []}', /"tokens" is there twice/],
    ['{"tokens": [{"name": "a", "role": "read", "role": "admin"}]}', /"role" is there twice/],
    ['{"tokens": [1]}', /token 1: must be an object/],
  ])("%s", (text, message) => {
    expect(() => parseTokens(text, "f.json")).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringMatching(message) }),
    );
  });

  test.each([
    [{ ...good, name: "" }, /name must be/],
    [{ ...good, name: "a b" }, /name must be/],
    [{ ...good, sha256: "t0ken" }, /sha256 must be the 64 hex digits/],
    [{ name: "ada", role: "read" }, /either sha256 or certificate/],
    [{ ...good, certificate: "ada" }, /either sha256 or certificate/],
    [{ ...good, role: "root" }, /role must be/],
    [{ ...good, role: "admin", prefixes: [":"] }, /admin is not held/],
    [{ ...good, prefixes: [] }, /prefixes must be/],
    [{ ...good, prefixes: ["nocolon"] }, /prefixes must be/],
    [{ ...good, prefixes: [":%zz"] }, /prefixes must be/],
    [{ ...good, prefixes: ["%ff:"] }, /prefixes must be/],
    [{ ...good, expires: "soon" }, /expires must be/],
    [{ ...good, expires: 5 }, /expires must be/],
    [{ ...good, expires: "2030-13-41" }, /expires must be/],
    [{ ...good, colour: "red" }, /colour is unknown/],
    [
      JSON.parse(`{"name": "a", "sha256": "${sha256}", "role": "read", "__proto__": {}}`),
      /__proto__/,
    ],
  ])("%j", (entry, message) => {
    expect(() => parsed(entry)).toThrow(message);
  });

  test("two of one name, or for one token", () => {
    expect(() => parsed(good, { ...good, sha256: hashOf("x") })).toThrow(/twice/);
    expect(() => parsed(good, { ...good, name: "bob" })).toThrow(/twice/);
  });

  test("a token that stands where its hash should be is not repeated", () => {
    const token = "a-token-put-there-by-mistake";
    expect(() => parsed({ ...good, sha256: token })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(token) }),
    );
  });
});

test("a scope is a bucket and the beginning of keys, bytes as %hh", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const scope = (text: string) => {
    const found = parseScope(text);
    return found && { bucket: found.bucket, prefix: new Uint8Array(found.prefix) };
  };
  expect(scope(":user:")).toEqual({ bucket: "", prefix: bytes("user:") });
  expect(scope("carts:")).toEqual({ bucket: "carts", prefix: bytes("") });
  expect(scope("a%3ab:%00%ff")).toEqual({ bucket: "a:b", prefix: Uint8Array.of(0, 255) });
  expect(scope("Körbe:ü")).toEqual({ bucket: "Körbe", prefix: bytes("ü") });
});

test("strict JSON is JSON, but for fields that are there twice", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(parseStrictJson(text)).toEqual(JSON.parse(text));
    }),
  );
  for (const text of [
    '{"a": 1, "a": 2}',
    '{"a": 1, "\\u0061": 2}',
    '[{"b": {"a": [{}, "a"], "a": 0}}]',
    '{"__proto__": 1, "__proto__": 2}',
  ]) {
    expect(() => parseStrictJson(text)).toThrow(/is there twice/);
  }
  const same = '{"a": {"a": ["a", {"a": "\\"a\\":"}]}, "b": "{\\"b\\": 1}", "c": ["c", "c"]}';
  expect(parseStrictJson(same)).toEqual(JSON.parse(same));
});
