/** Messages come back from their bytes as they went, and nothing else comes from any bytes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyOf } from "../../src/core/key.ts";
import { frameBytesAim } from "../../src/core/limits.ts";
import type { Message } from "../../src/core/message.ts";
import { decodeFrame, FrameWriter, laneOf } from "../../src/core/wire/codec.ts";
import { kinds } from "../../src/core/wire/kinds.ts";
import { decodeRing, encodeRing } from "../../src/core/wire/ring.ts";
import { countMax } from "../../src/core/wire/writer.ts";
import { hex } from "../support/format-page.ts";
import { anyMessageOf, anyRing, everyKind } from "./any-message.ts";

const seed = 20251121;

function frameOf(...messages: readonly Message[]): Uint8Array {
  const writer = new FrameWriter();
  for (const message of messages) expect(writer.add(message)).toBe(true);
  const [frame, ...more] = writer.take();
  if (frame === undefined || more.length > 0) throw new Error("not one frame");
  return frame;
}

function messagesIn(frame: Uint8Array): readonly Message[] {
  const decoded = decodeFrame(frame);
  if (decoded.kind === "invalid") throw new Error(`at byte ${decoded.at}: ${decoded.why}`);
  return decoded.messages;
}

describe("round trips", () => {
  test.each(everyKind)("%s", (kind) => {
    fc.assert(
      fc.property(anyMessageOf(kind), (message) => {
        const frame = frameOf(message);
        expect(messagesIn(frame)).toEqual([message]);
        expect(hex(frameOf(...messagesIn(frame)))).toBe(hex(frame));
      }),
      { seed, numRuns: 60 },
    );
  });

  test("a ring state by itself", () => {
    fc.assert(
      fc.property(anyRing, (state) => {
        const bytes = encodeRing(state);
        expect(decodeRing(bytes)).toEqual(state);
        expect(decodeRing(bytes.with(0, 2))).toBeUndefined();
        expect(decodeRing(bytes.subarray(0, -1))).toBeUndefined();
      }),
      { seed, numRuns: 60 },
    );
  });
});

test("what goes to several peers is the same in each frame, wherever it stands there", () => {
  const several = fc.array(fc.tuple(fc.constantFrom(0, 1, 2), fc.nat({ max: 3 })), {
    minLength: 1,
    maxLength: 30,
  });
  const messages = fc.tuple(
    ...(["write", "read", "write-reply", "forward"] as const).map((kind) => anyMessageOf(kind)),
  );
  fc.assert(
    fc.property(several, messages, (sends, any) => {
      const writers = [new FrameWriter(), new FrameWriter(), new FrameWriter()];
      const sent: Message[][] = [[], [], []];
      for (const [to, which] of sends) {
        writers[to]?.add(any[which] as Message);
        sent[to]?.push(any[which] as Message);
        // Now and then one of them leaves, and what it held is written over.
        if (which === 3) expect(writers[to]?.take().flatMap(messagesIn)).toEqual(sent[to]);
        if (which === 3) sent[to] = [];
      }
      for (const [to, writer] of writers.entries()) {
        expect(writer.take().flatMap(messagesIn)).toEqual(sent[to]);
      }
    }),
    { seed, numRuns: 40 },
  );
});

test("every kind has a number of its own", () => {
  const numbers = Object.values(kinds);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(Object.keys(kinds).sort()).toEqual([...everyKind].sort());
});

test("pages and repairs between nodes never travel before what a client waits for", () => {
  const lanes = new Map(everyKind.map((kind) => [kind, laneOf(kind)]));
  const bulk = everyKind.filter((kind) => lanes.get(kind) === "bulk");
  expect(bulk).toEqual([
    ...["list", "list-reply", "hints", "hints-reply", "no-hints"],
    ...["tree-open", "tree-nodes", "tree-leaves", "tree-pull", "tree-push", "tree-close"],
    ...["transfer-ask", "transfer-chunk", "transfer-close", "filled-ask", "filled"],
    ...["cut-ask", "cut", "loose-ask", "loose", "seal", "sealed", "floor", "rounds"],
  ]);
  expect(["read", "write-reply", "forward", "result"].map((k) => laneOf(k as "read"))).toEqual(
    Array(4).fill("data"),
  );
  expect(["ping", "gossip", "accept", "ring", "survey"].map((k) => laneOf(k as "ping"))).toEqual(
    Array(5).fill("control"),
  );
});

describe("frames", () => {
  const pull = (tokens: number): Message => ({
    kind: "tree-pull",
    exchange: 1,
    partition: 2,
    tokens: Array.from({ length: tokens }, (_, i) => ({ high: i, low: i })),
  });

  test("many messages share one, in order", () => {
    const messages = [pull(3), { kind: "ring-ask" }, pull(0)] as const;
    expect(messagesIn(frameOf(...messages))).toEqual(messages);
  });

  test("are cut at about the size to aim at, and none is longer by more than one message", () => {
    const writer = new FrameWriter();
    const message = pull(100);
    for (let i = 0; i < 500; i++) writer.add(message);
    const held = writer.bytesHeld;
    const frames = writer.take();
    expect(frames.reduce((sum, { length }) => sum + length, 0)).toBe(held);
    expect(frames.flatMap(messagesIn)).toHaveLength(500);
    for (const { length } of frames.slice(0, -1)) {
      expect(length).toBeGreaterThanOrEqual(frameBytesAim);
      expect(length).toBeLessThan(frameBytesAim + 1000);
    }
    expect([writer.bytesHeld, writer.take()]).toEqual([0, []]);
  });

  test("say the cluster and the epoch of their sender", () => {
    let epoch = 7;
    const writer = new FrameWriter(() => ({ clusterTag: 0xdeadbeef, epoch }));
    writer.add({ kind: "ring-ask" });
    const [first = new Uint8Array(0)] = writer.take();
    expect(decodeFrame(first)).toMatchObject({ clusterTag: 0xdeadbeef, epoch: 7 });
    epoch = 8;
    writer.add({ kind: "ring-ask" });
    const [second = new Uint8Array(0)] = writer.take();
    expect(decodeFrame(second)).toMatchObject({ epoch: 8 });
  });

  test("a message that no frame can hold is not added, and hurts no other", () => {
    const writer = new FrameWriter();
    expect(writer.add(pull(countMax + 1))).toBe(false);
    expect(writer.bytesHeld).toBe(0);
    writer.add(pull(1));
    expect(writer.add(pull(countMax + 1))).toBe(false);
    writer.add(pull(2));
    expect(writer.take().flatMap(messagesIn)).toEqual([pull(1), pull(2)]);
  });

  test("keys and values outlive the frame, whose bytes may be used again", () => {
    const key = keyOf("carts", new Uint8Array([1, 2, 3]));
    const value = new Uint8Array(5000).fill(9);
    const sibling = { dot: { actor: "0".repeat(15).concat("1"), counter: 1 }, value };
    const versions = {
      vector: [],
      dots: [],
      operations: [],
      siblings: [{ ...sibling, operation: undefined, time: 1, expiresAt: 0 }],
    };
    const messages: Message[] = [3, 0].map((short) => ({
      kind: "write",
      request: 1,
      key,
      versions: short ? { ...versions, siblings: [] } : versions,
      round: 0,
      hintFor: [],
      relay: [],
      repair: false,
      deadlineMs: 1,
    }));
    const frame = Buffer.from(frameOf(...messages));
    const decoded = messagesIn(frame);
    frame.fill(0xff);
    expect(decoded).toEqual(messages);
  });
});
