/**
 * Bytes that no writer of ours made: cut, flipped, stretched, made up. Each either decodes to
 * messages that have exactly these bytes, or is refused with a place and a reason; nothing throws,
 * hangs, or builds more than the bytes could hold.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Message } from "../../src/core/message.ts";
import { decodeFrame, type Frame, FrameWriter } from "../../src/core/wire/codec.ts";
import { kinds } from "../../src/core/wire/kinds.ts";
import { hex } from "../support/format-page.ts";
import { mutate } from "../support/fuzz.ts";
import { pick, randomFrom, seed } from "../support/random.ts";
import { anyMessageOf, everyKind } from "./any-message.ts";

const headerBytes = 10;

/** A long and a short message of each kind. */
const samples = everyKind.flatMap((kind) => {
  const drawn = fc.sample(anyMessageOf(kind), { seed, numRuns: 40 });
  const frames = drawn.map((message) => frameOf(message)).filter(({ length }) => length < 1500);
  frames.sort((a, b) => a.length - b.length);
  return [frames.at(0), frames.at(-1)].flatMap((frame) => (frame ? [{ kind, frame }] : []));
});

function frameOf(...messages: readonly Message[]): Uint8Array {
  const writer = new FrameWriter();
  for (const message of messages) writer.add(message);
  return writer.take()[0] ?? new Uint8Array(0);
}

/** Refused with a place inside the bytes, or exactly these bytes again. */
function judge(bytes: Uint8Array): Frame {
  const frame = decodeFrame(bytes);
  if (frame.kind === "invalid") {
    expect(frame.at).toBeGreaterThanOrEqual(0);
    expect(frame.at).toBeLessThanOrEqual(bytes.length);
    expect(frame.why).not.toBe("");
    return frame;
  }
  const writer = new FrameWriter(() => frame);
  for (const message of frame.messages) writer.add(message);
  const [again = bytes.subarray(0, headerBytes)] = writer.take();
  // Commands do not carry tokens, and text may come in only one form: all bytes are accounted for.
  expect(hex(again)).toBe(hex(bytes));
  return frame;
}

test("every kind has a sample", () => {
  expect(new Set(samples.map(({ kind }) => kind)).size).toBe(everyKind.length);
});

test.each(samples)("$kind, cut at any place", ({ frame }) => {
  for (let length = 0; length < frame.length; length++) {
    const cut = judge(frame.subarray(0, length));
    // A header alone is a frame without messages.
    if (length !== headerBytes) expect(cut.kind).toBe("invalid");
  }
});

test.each(samples)("$kind, with any byte changed", ({ frame }) => {
  for (let at = 0; at < frame.length; at++) {
    const before = frame[at] ?? 0;
    for (const flip of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      frame[at] = before ^ flip;
      judge(frame);
    }
    frame[at] = before;
  }
});

test.each(samples)("$kind, with something behind it", ({ frame }) => {
  expect(judge(Uint8Array.from([...frame, 0]))).toMatchObject({ at: frame.length });
  const longer = Uint8Array.from([...frame, 0]);
  const length = frame.length + 1 - headerBytes - 4;
  longer.set([length, length >>> 8, length >>> 16, length >>> 24], headerBytes);
  // What is behind a whole message is refused, unless it makes a longer list of it.
  judge(longer);
});

test(`3,000 mutations of frames of several messages (SEED=${seed})`, () => {
  const random = randomFrom(seed);
  for (let round = 0; round < 3000; round++) {
    const parts = Array.from({ length: 1 + pick(random, 3) }, () => {
      const sample = samples[pick(random, samples.length)];
      return [...(sample?.frame.subarray(headerBytes) ?? [])];
    });
    const whole = Uint8Array.from([...headerOf(), ...parts.flat()]);
    expect(judge(whole).kind).toBe("frame");
    judge(mutate(random, whole));
  }
});

test(`3,000 frames of garbage behind a good beginning (SEED=${seed})`, () => {
  const random = randomFrom(seed + 1);
  const codes = Object.values(kinds);
  for (let round = 0; round < 3000; round++) {
    const length = 1 + pick(random, 60);
    const body = Array.from({ length }, () => pick(random, pick(random, 2) === 0 ? 4 : 256));
    body[0] = codes[pick(random, codes.length)] ?? 0;
    judge(Uint8Array.from([...headerOf(), length, 0, 0, 0, ...body]));
  }
});

describe("what a writer of ours never writes", () => {
  const refused = (...body: readonly number[]): string => {
    const frame = judge(Uint8Array.from([...headerOf(), body.length, 0, 0, 0, ...body]));
    return frame.kind === "invalid" ? `${frame.at - headerBytes - 4}: ${frame.why}` : "taken";
  };

  test("an unknown kind", () => {
    expect(refused(0x7f)).toBe("1: 127 is no kind of message");
    expect(refused(0x09, 0)).toBe("2: 9 is no kind of message");
  });

  test("another version of the protocol", () => {
    const frame = judge(Uint8Array.from([2, ...headerOf().slice(1)]));
    expect(frame).toEqual({ kind: "invalid", at: 0, why: "version 2, where this is 1" });
  });

  test("a flag that means nothing yet", () => {
    const frame = judge(Uint8Array.from([1, 1, ...headerOf().slice(2)]));
    expect(frame).toMatchObject({ kind: "invalid", at: 1 });
  });

  test("a number in more bytes than it needs, or beyond 53 bits", () => {
    const why = "1: a number that is too large or in more bytes than it needs";
    expect(refused(kinds.ping, 0x80, 0)).toBe(why);
    expect(refused(kinds.ping, ...Array(7).fill(0xff), 0x1f)).toBe(why);
    expect(refused(kinds.ping, ...Array(9).fill(0xff), 1)).toBe(why);
    expect(refused(kinds.ping, ...Array(7).fill(0xff), 0x0f)).toBe("taken");
  });

  test("a list longer than the bytes that remain, before it is built", () => {
    // 2^49 tokens of eight bytes each.
    const count = [...Array(7).fill(0x80), 0x01];
    const why = "3: 562949953421312 elements, where 0 bytes remain";
    expect(refused(kinds["tree-pull"], 1, 1, ...count)).toBe(why);
  });

  test("dots, siblings, vectors and operations out of order or twice", () => {
    const actor = [0, 0, 0, 0, 0, 0, 0, 1];
    const push = [kinds["tree-push"], 0, 0, 0, 1, 0, 1, 65, 0, 0, 0, 0, 0, 0, 0, 0];
    const [later, earlier] = [2, 1].map((counter) => [0, ...actor, counter]) as [
      number[],
      number[],
    ];
    expect(refused(...push, 0, 2, ...later, ...earlier, 0, 0)).toMatch("dots out of order");
    expect(refused(...push, 0, 2, ...earlier, ...earlier, 0, 0)).toMatch("dots out of order");
    expect(refused(...push, 0, 2, ...earlier, ...later, 0, 0)).toBe("taken");
    const entry = [...actor, 1, 0];
    expect(refused(...push, 2, ...entry, ...entry, 0, 0, 0)).toMatch("a vector out of order");
    const operation = [4, 1, 0, 0, 0];
    const next = (...told: number[]) => refused(...push, 0, 0, 2, ...operation, ...told, 0);
    expect(next(2, 9, 0, 0, 0)).toBe("taken");
    expect(next(0, 1, 0, 0, 0)).toMatch("operations out of order");
    expect(next(0, 9, 0, 0, 0)).toMatch("operations out of order");
    expect(next(6, 1, 0, 0, 0)).toMatch("operations out of order");
    const sibling = [0, ...earlier, 0, 0];
    expect(refused(...push, 0, 0, 0, 2, ...sibling, ...sibling)).toMatch("siblings out of order");
  });

  test("an operation of a time that later messages could not tell", () => {
    const put = (...at: number[]) =>
      refused(kinds.request, 1, 0, 2, 0, 0, 1, 65, 0, ...at, 1, 0, 0, 0, 0, 1);
    expect(put(...Array(6).fill(0xff), 0x3f)).toBe("taken");
    expect(put(...Array(6).fill(0xff), 0x7f)).toMatch("is no time of an operation");
  });

  test("an actor spelt out that the vector has, or a place that the vector has not", () => {
    const actor = [0, 0, 0, 0, 0, 0, 0, 1];
    const push = [kinds["tree-push"], 0, 0, 0, 1, 0, 1, 65, 0, 0, 0, 0, 0, 0, 0, 0];
    const vector = [1, ...actor, 1, 0];
    expect(refused(...push, ...vector, 1, 1, 2, 0, 0)).toBe("taken");
    expect(refused(...push, ...vector, 1, 0, ...actor, 2, 0, 0)).toMatch("has already");
    expect(refused(...push, ...vector, 1, 2, 2, 0, 0)).toMatch("has already");
  });

  test("text that is no UTF-8, a key of no bytes, a bucket with a zero byte", () => {
    expect(refused(kinds.survey, 0, 2, 0xc3, 0x28)).toBe("2: text that is no UTF-8");
    const token = Array(8).fill(0);
    expect(refused(kinds.read, 0, 0, 0, 0, ...token, 1)).toBe("4: a key of 0 bytes");
    expect(refused(kinds.read, 0, 0, 1, 0, 1, 65, ...token, 1)).toMatch(/^3: a bucket's name/);
  });

  test("a write that is to be passed on, to nobody", () => {
    const about = [1, 2, 0, 1, 65, ...Array(8).fill(0), 0, 0, 0, 0, 0, 0];
    expect(refused(kinds.write, ...about, 1, 7, 9)).toBe("taken");
    expect(refused(kinds.write, ...about, 0, 9)).toBe("20: a write to be passed on to nobody");
  });

  test("more messages than any frame of ours has", () => {
    const bytes = new Uint8Array(headerBytes + 5 * 20_000);
    bytes.set(headerOf());
    for (let at = headerBytes; at < bytes.length; at += 5) {
      bytes[at] = 1;
      bytes[at + 4] = kinds["go-away"];
    }
    expect(judge(bytes.subarray(0, headerBytes + 5 * 100))).toMatchObject({ kind: "frame" });
    expect(judge(bytes)).toMatchObject({ kind: "invalid", at: headerBytes + 5 * 16_384 });
  });
});

test("a megabyte that promises the most costs little time", () => {
  const bytes = new Uint8Array(1 << 20).fill(1);
  const started = performance.now();
  for (const code of Object.values(kinds)) {
    const length = bytes.length - headerBytes - 4;
    bytes.set([...headerOf(), length, length >>> 8, length >>> 16, 0, code]);
    decodeFrame(bytes);
  }
  expect(performance.now() - started).toBeLessThan(5000);
});

function headerOf(): number[] {
  return [1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
}
