/** WIRE.md says what the codec does, byte for byte, in both directions. */
import { describe, expect, test } from "vitest";
import type { Versions } from "../../src/core/clock/versions.ts";
import { openContext, sealContext } from "../../src/core/context-token.ts";
import { keyOf } from "../../src/core/key.ts";
import {
  bucketBytesMax,
  contextBytesMax,
  frameBytesAim,
  frameBytesMax,
  keyBytesMax,
  membersMax,
} from "../../src/core/limits.ts";
import type { Message } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { decodeFrame, FrameWriter, laneOf } from "../../src/core/wire/codec.ts";
import { type Kind, kinds } from "../../src/core/wire/kinds.ts";
import { decodeRing, encodeRing } from "../../src/core/wire/ring.ts";
import { countMax } from "../../src/core/wire/writer.ts";
import { requestFrameBytesMax } from "../../src/runtime/sockets.ts";
import { bytesInPage, hex, textOfPage } from "../support/format-page.ts";

const path = "src/WIRE.md";
const page = textOfPage(path);
const mark = { clusterTag: 0xdeadbeef, epoch: 7 };
const headerBytes = 10;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const cart = keyOf("", bytes("cart"));
const shopCart = keyOf("shop", bytes("cart"));
const one = "0645e1b2c0f00001";
const two = "0645e1b2c0f00002";
const then = 1_700_000_000_000;

const milk = {
  dot: { actor: one, counter: 3 },
  operation: undefined,
  time: then,
  expiresAt: 0,
  value: bytes("milk"),
};

const versions: Versions = {
  vector: [
    { actor: one, counter: 3, time: 0 },
    { actor: two, counter: 300, time: then },
  ],
  dots: [{ actor: "0645e1b2c0f00003", counter: 1 }],
  operations: [{ at: then, nonce: 0x01020304, retried: true }],
  siblings: [
    milk,
    {
      dot: { actor: two, counter: 300 },
      operation: { at: then + 1, nonce: 5, retried: false },
      time: then + 1,
      expiresAt: then + 60_001,
      value: bytes("eggs"),
    },
  ],
};

const ring: RingState = {
  clusterId: "deadbeef000102030405060708090a0b",
  generation: 1,
  epoch: 7,
  n: 2,
  members: [
    { id: 1, address: "10.0.0.1:7400", dc: "dc1", rack: "r1", weight: 1, state: "member" },
    { id: 2, address: "10.0.0.2:7400", dc: "dc1", rack: "r2", weight: 0.5, state: "leaving" },
  ],
  owners: [
    [1, 2],
    [2, 1],
  ],
  moves: [{ partition: 1, to: [1] }],
  buckets: [{ name: "shop", r: 0, w: 3, resolver: "union", ttlMs: 60_000 }],
  staged: [{ kind: "leave", node: 2 }],
};

const read: Message = { kind: "read", request: 300, key: cart, full: true, deadlineMs: 5000 };
const failed = {
  kind: "failed",
  code: "OVERLOADED",
  message: "later",
  applied: "no",
  retryAfterMs: 50,
} as const;

const examples: Readonly<Record<string, Message>> = {
  "tree-push": {
    kind: "tree-push",
    exchange: 1,
    partition: 2,
    round: 0,
    entries: [{ key: cart, versions }],
  },
  write: {
    kind: "write",
    request: 300,
    key: shopCart,
    versions: {
      vector: versions.vector.slice(0, 1),
      dots: [],
      operations: [],
      siblings: [milk],
    },
    round: 0,
    hintFor: [4],
    relay: [],
    repair: false,
    deadlineMs: 5000,
  },
  "write-reply": { kind: "write-reply", request: 300, outcome: "stored", failure: undefined },
  "read-reply": {
    kind: "read-reply",
    request: 300,
    standing: "catching-up",
    round: 0,
    digest: { high: 0x01020304, low: 0x05060708 },
    versions: undefined,
    failure: "CORRUPTION",
  },
  gossip: {
    kind: "gossip",
    heartbeats: [
      { node: 1, started: then, heartbeat: 41, epoch: 7, hints: 0, filling: 0, suspects: [3] },
    ],
  },
  put: {
    kind: "request",
    request: 1,
    token: undefined,
    command: {
      kind: "put",
      key: cart,
      context: undefined,
      value: bytes("milk"),
      ttlMs: undefined,
      operation: { at: then, nonce: 5, retried: false },
      w: 2,
      strict: false,
      deadlineMs: 5000,
      trace: false,
    },
  },
  found: {
    kind: "result",
    request: 1,
    token: Uint8Array.of(1, 2, 3),
    result: {
      kind: "found",
      values: [bytes("milk")],
      context: { vector: [], dots: [], operations: [] },
      fastest: 2,
      degraded: true,
      written: [{ time: then, actor: one }],
      trace: undefined,
    },
  },
  failed: { kind: "result", request: 1, token: undefined, result: failed },
};

function frameOf(...messages: readonly Message[]): Uint8Array {
  const writer = new FrameWriter(() => mark);
  for (const message of messages) writer.add(message);
  return writer.take()[0] ?? new Uint8Array(0);
}

describe("the worked examples", () => {
  test("a frame of two messages", () => {
    const messages: readonly Message[] = [read, { kind: "ping", sequence: 9 }];
    const shown = bytesInPage("frame", path);
    expect(hex(frameOf(...messages))).toBe(hex(shown));
    expect(decodeFrame(shown)).toEqual({ kind: "frame", ...mark, messages });
  });

  test.each(Object.keys(examples))("%s", (name) => {
    const message = examples[name] ?? read;
    const shown = bytesInPage(name, path);
    const frame = frameOf(message);
    expect(hex(frame.subarray(headerBytes + 4))).toBe(hex(shown));
    const decoded = decodeFrame(frame);
    expect(decoded).toMatchObject({ messages: [message] });
  });

  test("a saved ring", () => {
    const shown = bytesInPage("saved-ring", path);
    expect(hex(encodeRing(ring))).toBe(hex(shown));
    expect(decodeRing(shown)).toEqual(ring);
  });

  test("a sealed context", () => {
    const seen = { context: { ...versions, dots: [], operations: [] }, fastest: 2 };
    const { vector, dots, operations } = seen.context;
    const place = { clusterId: ring.clusterId, key: shopCart };
    const key = { number: 3, bytes: Uint8Array.from({ length: 16 }, (_, i) => i) };
    const shown = bytesInPage("context", path);
    expect(hex(sealContext(seen, place, [key]))).toBe(hex(shown));
    expect(openContext(shown, place, [key])).toEqual({
      kind: "context",
      context: { vector, dots, operations },
      fastest: 2,
    });
  });

  test("are all of the page's", () => {
    const names = [...page.matchAll(/```hex (\S+)/g)].map(([, name]) => name);
    expect(names.sort()).toEqual(
      [...Object.keys(examples), "frame", "saved-ring", "context"].sort(),
    );
  });
});

test("the table of kinds and lanes", () => {
  const rows = [...page.matchAll(/^\| 0x(..) \| `(\S+)` +\| (\w+) +\|$/gm)];
  expect(rows.map(([, code, name]) => [name, Number.parseInt(code ?? "", 16)])).toEqual(
    Object.entries(kinds),
  );
  expect(rows.map(([, , name, lane]) => `${name}: ${lane}`)).toEqual(
    rows.map(([, , name]) => `${name}: ${laneOf(name as Kind)}`),
  );
});

test("the fields of every kind are told", () => {
  const told = [...page.matchAll(/^\| (`[^|]*`) +\|/gm)].flatMap(([, names = ""]) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  expect(Object.keys(kinds).filter((kind) => !told.includes(kind))).toEqual([]);
});

test("the limits", () => {
  for (const claim of [
    `begins a new frame once there are ${frameBytesAim >> 10} KiB`,
    `at most 16384 messages and ${frameBytesMax >> 20} MiB`,
    `one from a client at most ${requestFrameBytesMax.toLocaleString("en")} bytes`,
    `at most ${countMax}, then the elements`,
    `at most ${bucketBytesMax} bytes, no zero byte`,
    `(1 to ${keyBytesMax} bytes)`,
    `at most ${membersMax} heartbeats`,
    `At most ${contextBytesMax >> 10} KiB`,
  ]) {
    expect(page.replaceAll("\n", " ")).toContain(claim);
  }
});
