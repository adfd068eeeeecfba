/**
 * What peers and clients send, and what a node keeps in the same bytes: frames of every kind of
 * message, rings, votes, lives. Whatever is taken has exactly the bytes that it came from.
 */
import fc from "fast-check";
import { readU32, writeU32 } from "../../native-free-engine/base/bytes.ts";
import { decodeLives, decodeSeen, encodeLives } from "../../src/core/members/life-records.ts";
import { decodeVote, encodeVote } from "../../src/core/members/vote.ts";
import type { Message } from "../../src/core/message.ts";
import { checkRing, checkSuccessor } from "../../src/core/ring/check-ring.ts";
import { decodeFrame, FrameWriter, type Mark } from "../../src/core/wire/codec.ts";
import { Reader } from "../../src/core/wire/reader.ts";
import { decodeRing, encodeRing } from "../../src/core/wire/ring.ts";
import { anyMessageOf, anyRing, everyKind } from "../core/any-message.ts";
import { type Field, mutateSample, type Sample } from "./bytes-mutator.ts";
import type { Decoder, Draw } from "./trial.ts";

const headerBytes = 10;
const lengthBytes = 4;
/** Long enough for all that a message may have, short enough for millions of them. */
const sampleBytesMax = 1200;
/** Samples are always the same ones: what varies is what becomes of them. */
const sampleSeed = 1;

export const wireDecoders: readonly Decoder[] = [
  { name: "frames", perMillion: 640_000, prepare: drawFrames },
  { name: "rings", perMillion: 30_000, prepare: drawRings },
  { name: "votes", perMillion: 20_000, prepare: drawVotes },
  { name: "lives", perMillion: 30_000, prepare: drawLives },
];

function drawFrames(): Draw {
  const messages = everyKind.flatMap((kind) => {
    const drawn = fc.sample(anyMessageOf(kind), { seed: sampleSeed, numRuns: 12 });
    const short = drawn.filter((message) => frameOf([message]).length < sampleBytesMax);
    return short.slice(0, 5);
  });
  const single = messages.map((message) => frameSample([message]));
  const several = Array.from({ length: 60 }, (_, i) =>
    frameSample([0, 1, 2].flatMap((k) => messages[(i * 37 + k * 101) % messages.length] ?? [])),
  );
  const samples = [...single, ...single, ...several];
  return (random) => {
    const bytes = mutateSample(random, samples);
    if (random() < 0.7) fitLengths(bytes);
    return trialOf(bytes, () => judgeFrame(bytes));
  };
}

function judgeFrame(bytes: Uint8Array): boolean {
  const frame = decodeFrame(bytes);
  if (frame.kind === "invalid") {
    if (!(frame.at >= 0 && frame.at <= bytes.length)) throw new Error(`at ${frame.at}`);
    if (frame.why === "") throw new Error("no reason is given");
    return false;
  }
  mark = frame;
  for (const message of frame.messages) {
    if (!writer.add(message)) throw new Error("taken, but too long to be written");
  }
  const [again = bytes.subarray(0, headerBytes), ...more] = writer.take();
  if (more.length > 0) throw new Error("one frame became several");
  expectSame(again, bytes);
  return true;
}

let mark: Mark = { clusterTag: 0, epoch: 0 };
const writer = new FrameWriter(() => mark);

function frameOf(messages: readonly Message[]): Uint8Array {
  mark = { clusterTag: 0x12345678, epoch: 7 };
  for (const message of messages) writer.add(message);
  return writer.take()[0] ?? new Uint8Array(0);
}

function frameSample(messages: readonly Message[]): Sample {
  const bytes = frameOf(messages);
  const lengths: Field[] = [];
  for (let at = headerBytes; at < bytes.length; at += lengthBytes + readU32(bytes, at)) {
    lengths.push({ at, end: at + lengthBytes, form: "u32" });
  }
  return sampleWith(bytes, () => decodeFrame(bytes), lengths);
}

/** The first message that does not end where the frame does, or the next begins, is made to fit. */
function fitLengths(bytes: Uint8Array): void {
  for (let at = headerBytes; at + lengthBytes <= bytes.length; ) {
    const rest = bytes.length - at - lengthBytes;
    const length = readU32(bytes, at);
    if (length > rest || (length < rest && rest - length <= lengthBytes)) {
      writeU32(bytes, at, rest);
      return;
    }
    at += lengthBytes + length;
  }
}

function drawRings(): Draw {
  const drawn = fc.sample(anyRing, { seed: sampleSeed, numRuns: 40 });
  const samples = drawn.map((ring) => {
    const bytes = encodeRing(ring);
    return sampleWith(bytes, () => decodeRing(bytes));
  });
  const [first] = drawn;
  return (random) => {
    const bytes = mutateSample(random, samples);
    return trialOf(bytes, () => {
      const ring = decodeRing(bytes);
      if (ring === undefined) return false;
      expectSame(encodeRing(ring), bytes);
      checkRing(ring);
      if (first !== undefined) checkSuccessor(first, ring);
      return true;
    });
  };
}

function drawVotes(): Draw {
  const rings = fc.sample(anyRing, { seed: sampleSeed, numRuns: 20 });
  const samples = rings.map((state, i) => {
    const accepted = i % 3 === 0 ? undefined : { ballot: { round: 300 * i, node: i + 1 }, state };
    const promised = { round: 2 ** 40 + i, node: 3 };
    const vote = { generation: 1, epoch: 130 * i, promised, accepted };
    const bytes = encodeVote(vote, encodeRing);
    return sampleWith(bytes, () => decodeVote(bytes, decodeRing));
  });
  return (random) => {
    const bytes = mutateSample(random, samples);
    return trialOf(bytes, () => {
      const vote = decodeVote(bytes, decodeRing);
      if (vote === undefined) return false;
      expectSame(encodeVote(vote, encodeRing), bytes);
      return true;
    });
  };
}

function drawLives(): Draw {
  const lists = [0, 1, 3, 64].map((length) =>
    Array.from({ length }, (_, i) => ({ started: 1_700_000_000_000 + i, heartbeat: 200 * i })),
  );
  const samples = lists.map((lives) => {
    const bytes = encodeLives(lives);
    return sampleWith(bytes, () => decodeLives(bytes));
  });
  return (random) => {
    const bytes = mutateSample(random, samples);
    return trialOf(bytes, () => {
      decodeSeen(bytes);
      const lives = decodeLives(bytes);
      if (lives.length === 0) return false;
      expectSame(encodeLives(lives), bytes);
      return true;
    });
  };
}

export function trialOf(bytes: Uint8Array, judge: () => boolean | Promise<boolean>) {
  return { bytes: bytes.length, judge, show: () => Buffer.from(bytes).toString("hex") };
}

export function expectSame(again: Uint8Array, bytes: Uint8Array): void {
  if (Buffer.compare(again, bytes) === 0) return;
  throw new Error(`taken, but written as ${Buffer.from(again).toString("hex")}`);
}

/** The places of all varints are those that the reader comes to. */
export function sampleWith(
  bytes: Uint8Array,
  decode: () => unknown,
  others: readonly Field[] = [],
): Sample {
  const fields: Field[] = [...others];
  const { varint } = Reader.prototype;
  Reader.prototype.varint = function (this: Reader): number {
    const at = this.place;
    const value = varint.call(this);
    fields.push({ at, end: this.place, form: "varint" });
    return value;
  };
  try {
    decode();
  } finally {
    Reader.prototype.varint = varint;
  }
  return { bytes, fields: fields.sort((a, b) => a.at - b.at) };
}
