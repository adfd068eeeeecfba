import { describe, expect, test } from "vitest";
import { decode, decodeArgument, quote, show } from "../../bin/bytes.ts";
import { formatEntry, lineParser } from "../../bin/entry-lines.ts";
import { sourceOfMember } from "../../bin/json-member.ts";
import { type Line, linesOf } from "../../bin/line-reader.ts";
import { parseDuration, rate, size } from "../../bin/units.ts";
import { pick, randomBytes, randomFrom, seed } from "../support/random.ts";

const limits = { keyBytesMax: 65536, valueBytesMax: 1 << 20 };
const json = lineParser({ format: "ndjson", encoding: "text" }, limits);
const tsv = lineParser({ format: "tsv", encoding: "text" }, limits);

function bytesOf(value: unknown): string {
  return Buffer.from(value as string | Uint8Array).toString("hex");
}

describe("an entry as a line", () => {
  const random = randomFrom(seed);
  const samples = Array.from({ length: 300 }, (_, i) => {
    const texts = [
      "",
      "a",
      "naïve",
      "日本",
      '"quoted"',
      "tab\there",
      "C:\\new",
      "\u0000",
      "\ufeff",
    ];
    const text = (): Uint8Array =>
      i % 3 === 0 ? randomBytes(random, pick(random, 12)) : Buffer.from(texts[pick(random, 9)]!);
    return { key: text(), value: text() };
  });

  test.each(["text", "hex", "base64"] as const)(
    "comes back to the byte from NDJSON in %s",
    (encoding) => {
      const form = { format: "ndjson", encoding } as const;
      for (const { key, value } of samples) {
        const line = formatEntry(key, value, form);
        const parsed = lineParser(form, limits)(line.slice(0, -1));
        expect(parsed, `${line} (seed ${seed})`).toMatchObject({ type: "put" });
        if (!parsed || "problem" in parsed) continue;
        expect([bytesOf(parsed.key), bytesOf(parsed.value)]).toEqual([
          bytesOf(key),
          bytesOf(value),
        ]);
      }
    },
  );

  test("comes back to the byte from TSV, or is refused when it could not", () => {
    let refused = 0;
    for (const { key, value } of samples) {
      let line: string;
      try {
        line = formatEntry(key, value, { format: "tsv", encoding: "text" });
      } catch (error) {
        expect(error).toMatchObject({ code: "NOT_TEXT", exit: 2 });
        refused += 1;
        continue;
      }
      const parsed = tsv(line.slice(0, -1));
      if (!parsed || "problem" in parsed) throw new Error(`${line} (seed ${seed})`);
      expect([bytesOf(parsed.key), bytesOf(parsed.value)]).toEqual([bytesOf(key), bytesOf(value)]);
    }
    expect(refused).toBeGreaterThan(10);
    expect(refused).toBeLessThan(290);
  });

  test("is a valid JSON object with the text as it is", () => {
    const line = formatEntry(Buffer.from("k"), Buffer.from("v\n"), {
      format: "ndjson",
      encoding: "text",
    });
    expect(JSON.parse(line)).toEqual({ key: "k", value: "v\n" });
  });
});

describe("a line of NDJSON", () => {
  test.each([
    ['{"key":"a","value":"b"}', "b"],
    ['{"key":"a", "value": "b"}\r', "b"],
    ['{ "value" : "b" , "key" : "a" }', "b"],
    ['{"key":"a","value":"\\u0062\\n"}', "b\n"],
    ['{"key":"a","value":{"x": 1}}', '{"x": 1}'],
    ['{"key":"a","value":[1,"]",{}] }', '[1,"]",{}]'],
    ['{"key":"a","value":12345678901234567890}', "12345678901234567890"],
    ['{"key":"a","value":1.0}', "1.0"],
    ['{"key":"a","value":null}', "null"],
    ['{"key":"a","value":false,"more":"x"}', "false"],
    ['{"key":"a","value":"first","value":"last"}', "last"],
    ['{"key":"a","value":""}', ""],
    ['{"key":"a","value":"\ud83d\ude00"}', "😀"],
  ])("%s stores %j", (line, value) => {
    expect(json(line)).toEqual({ type: "put", key: "a", value });
  });

  test.each([
    ["", undefined],
    ["  \r", undefined],
    ["{", /not JSON/],
    ["[1]", /not a JSON object/],
    ["null", /not a JSON object/],
    ['{"key":"a"}', /no "value"/],
    ['{"value":"a"}', /no "key"/],
    ['{"key":1,"value":"a"}', /"key" is not a string but "1"/],
    ['{"key":"a","keyBase64":"YQ==","value":""}', /both/],
    ['{"keyBase64":"?","value":""}', /not base64/],
    ['{"key":"a","value":"\\ud800"}', /half of a surrogate pair/],
    ['{"key":"a\tb","value":"c"}', /not JSON/],
    [`{"key":"${"k".repeat(65537)}","value":""}`, /key is 65537 bytes, limit 65536/],
    [`{"key":"${"é".repeat(32769)}","value":""}`, /key is 65538 bytes, limit 65536/],
    [`{"key":"","value":"${"v".repeat((1 << 20) + 1)}"}`, /value is 1048577 bytes/],
  ])("%.40s is no entry", (line, problem) => {
    const parsed = json(line);
    if (problem === undefined) expect(parsed).toBeUndefined();
    else expect(parsed).toEqual({ problem: expect.stringMatching(problem) });
  });

  test("a member's text is found wherever it stands", () => {
    const line = '{"a":{"value":1},"b":"\\"value\\":2","value" : [ {"c":"}"} ] ,"d":[]}';
    expect(sourceOfMember(line, "value")).toBe('[ {"c":"}"} ]');
    expect(sourceOfMember(line, "e")).toBeUndefined();
  });
});

describe("a line of TSV", () => {
  test("is split at its first TAB and nothing else", () => {
    expect(tsv("a\tb\tc\r")).toEqual({ type: "put", key: "a", value: "b\tc" });
    expect(tsv('a\t"b\\n"')).toEqual({ type: "put", key: "a", value: '"b\\n"' });
    expect(tsv("\t")).toEqual({ type: "put", key: "", value: "" });
    expect(tsv("")).toBeUndefined();
    expect(tsv("no tab")).toEqual({ problem: expect.stringMatching(/no TAB/) });
  });
});

describe("lines of a stream", () => {
  async function read(bytes: Uint8Array, chunkBytes: number, max = 1000): Promise<Line[]> {
    async function* chunks(): AsyncIterable<Uint8Array> {
      for (let at = 0; at < bytes.length; at += chunkBytes)
        yield bytes.subarray(at, at + chunkBytes);
    }
    const lines: Line[] = [];
    for await (const some of linesOf(chunks(), max)) lines.push(...some);
    return lines;
  }

  test("are the same however the bytes arrive", async () => {
    const text = "\ufefffirst\n\nthird é日😀\nfourth\r\nlast without a line feed";
    const bytes = Buffer.from(text);
    for (let chunk = 1; chunk <= bytes.length; chunk++) {
      expect(await read(bytes, chunk)).toEqual(text.slice(1).split("\n"));
    }
  });

  test("of which some are not UTF-8 leave the others alone", async () => {
    const bytes = Buffer.concat([Buffer.from("a\n"), Buffer.from([0xff, 10]), Buffer.from("é\n")]);
    for (const chunk of [1, 2, 3, 100]) {
      expect(await read(bytes, chunk)).toEqual(["a", { problem: "line is not valid UTF-8" }, "é"]);
    }
  });

  test("that are too long are named with their length, and the next one is read", async () => {
    const bytes = Buffer.from(`${"x".repeat(50)}\nok\n`);
    for (const chunk of [1, 7, 20]) {
      const [first, second] = await read(bytes, chunk, 20);
      expect(first).toEqual({ problem: "line is 50 bytes, limit 20" });
      expect(second).toBe("ok");
    }
  });

  test("of nothing are none", async () => {
    expect(await read(new Uint8Array(0), 10)).toEqual([]);
    expect(await read(Buffer.from("\n"), 10)).toEqual([""]);
  });
});

describe("bytes as arguments", () => {
  test("hex and base64 are taken whole or refused", () => {
    expect(decode("00fF", "hex")).toEqual(Buffer.from([0, 255]));
    for (const bad of ["0", "0g", "00 ff"]) expect(decode(bad, "hex")).toBeUndefined();
    for (const good of ["AP8=", "AP8", "_-8="]) expect(decode(good, "base64")).toBeDefined();
    for (const bad of ["AP8==A", "A", "AP 8="]) expect(decode(bad, "base64")).toBeUndefined();
  });

  test("text that was not UTF-8 is refused with the way out", () => {
    expect(() => decodeArgument("a\ufffd", "text", "key")).toThrow(
      expect.objectContaining({ code: "KEY_ENCODING", hint: expect.stringMatching(/--hex/) }),
    );
  });

  test("what is shown on a terminal cannot command it", () => {
    expect(show(Buffer.from("a\u001b[31m\n\u202eb\\"))).toBe("a\\x1b[31m\\n\\u{202e}b\\\\");
    expect(show(Buffer.from([0xff, 0x41, 0x5c, 0x0a]))).toBe("\\xffA\\\\\\n");
    expect(quote("a\u001bb\\")).toBe('"a\\u001bb\\\\"');
    expect(quote("x".repeat(100)).length).toBeLessThan(70);
  });
});

describe("units", () => {
  test("durations need a number above 0 and a unit", () => {
    expect(["500ms", "1.5h", "7d", " 2w "].map(parseDuration)).toEqual([
      500, 5_400_000, 604_800_000, 1_209_600_000,
    ]);
    for (const bad of ["", "5", "0s", "-1s", "1y", "1e3s", "h", "9999999999999w"]) {
      expect(() => parseDuration(bad), bad).toThrow(/not a time to live/);
    }
  });

  test("sizes and rates keep the digits that mean something", () => {
    expect([0, 1023, 1024, 1536 << 10].map(size)).toEqual(["0 B", "1023 B", "1.0 KiB", "1.5 MiB"]);
    expect(rate(123_456, 1000)).toBe("123,000/s");
    expect(rate(5, 0)).toBe("0/s");
  });
});
