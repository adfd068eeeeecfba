/** Arbitrary messages of every kind, as a node or a client might send them. */
import fc from "fast-check";
import type { Operation } from "../../src/core/clock/operations.ts";
import {
  type CausalContext,
  compareDots,
  type Dot,
  type Sibling,
  type Versions,
} from "../../src/core/clock/versions.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Command, Message, Result } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import type { Kind } from "../../src/core/wire/kinds.ts";

const small = fc.nat({ max: 300 });
const whole = fc.oneof(small, fc.maxSafeNat());
const word = fc.nat({ max: 0xffffffff });
const time = fc.oneof(fc.constant(0), fc.nat({ max: 2 ** 48 - 1 }));
const hash = fc.record({ high: word, low: word });
/** Few, so that vectors, dots and siblings often share one. */
const actor = fc.oneof(
  fc.constantFrom("0192a3b4c5d6e7f8", "0192a3b4c5d6e7f9", "ffffffffffffffff", "0000000000000001"),
  fc.tuple(word, word).map((words) => words.map((w) => w.toString(16).padStart(8, "0")).join("")),
);
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: "grapheme", maxLength: 8 }));
const value = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.nat({ max: 9000 }).map((length) => new Uint8Array(length).fill(length)),
);
const bucket = fc.constantFrom("", "", "carts", "Körbe");
export const anyKey = fc
  .tuple(bucket, fc.uint8Array({ minLength: 1, maxLength: 60 }))
  .map(([name, bytes]) => keyOf(name, bytes));

const dot: fc.Arbitrary<Dot> = fc.record({ actor, counter: whole.map((n) => n + Number(n === 0)) });
const operation: fc.Arbitrary<Operation> = fc.record({
  at: time,
  nonce: word,
  retried: fc.boolean(),
});

const vector = fc
  .uniqueArray(fc.record({ actor, counter: fc.integer({ min: 1, max: 2 ** 40 }), time }), {
    selector: (entry) => entry.actor,
    maxLength: 5,
  })
  .map((entries) => [...entries].sort((a, b) => (a.actor < b.actor ? -1 : 1)));

const dots = fc
  .uniqueArray(dot, { selector: ({ actor, counter }) => `${actor}/${counter}`, maxLength: 4 })
  .map((found) => [...found].sort(compareDots));

/** The newest event of each actor. */
const events = fc
  .uniqueArray(dot, { selector: (each) => each.actor, maxLength: 5 })
  .map((found) => [...found].sort(compareDots));

const operations = fc
  .uniqueArray(operation, { selector: ({ at, nonce }) => `${at}/${nonce}`, maxLength: 5 })
  .map((found) => [...found].sort((a, b) => b.at - a.at || b.nonce - a.nonce));

const siblings = dots.chain((found) =>
  fc.tuple(
    ...found.map(
      (dot): fc.Arbitrary<Sibling> =>
        fc.record({
          dot: fc.constant(dot),
          operation: fc.option(operation, { nil: undefined }),
          time,
          expiresAt: time,
          value,
        }),
    ),
  ),
);

export const anyContext: fc.Arbitrary<CausalContext> = fc.record({ vector, dots, operations });
const versions: fc.Arbitrary<Versions> = fc.record({ vector, dots, operations, siblings });
const entries = fc.array(fc.record({ key: anyKey, versions }), { maxLength: 3 });
const nodes = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 4 });
const failure = fc.option(text, { nil: undefined });
const standing = fc.constantFrom("current", "catching-up", "rebuilding");

const member = fc.record({
  id: fc.integer({ min: 1, max: 1000 }),
  address: text,
  dc: text,
  rack: text,
  weight: fc.double({ min: 0.001, max: 100, noNaN: true }),
  state: fc.constantFrom("member", "leaving", "left", "joining"),
});

const bucketRecord = fc.record({
  name: text,
  r: small,
  w: small,
  resolver: fc.constantFrom("siblings", "lww", "union", "counter"),
  ttlMs: whole,
});

const someNode = fc.integer({ min: 1, max: 1000 });
const staged = fc.oneof(
  fc.record({
    kind: fc.constant("join" as const),
    node: someNode,
    replaces: fc.option(someNode, { nil: undefined }),
  }),
  fc.record({ kind: fc.constantFrom("leave" as const, "remove" as const), node: someNode }),
  fc.record({
    kind: fc.constant("weight" as const),
    node: someNode,
    weight: member.map((m) => m.weight),
  }),
);

export const anyRing: fc.Arbitrary<RingState> = fc.integer({ min: 1, max: 4 }).chain((bits) =>
  fc.record({
    clusterId: fc.tuple(word, word, word, word).map((words) => words.map(hexOf).join("")),
    generation: whole,
    epoch: whole,
    n: fc.integer({ min: 1, max: 7 }),
    members: fc.array(member, { maxLength: 4 }),
    owners: fc.array(nodes, { minLength: 1 << bits, maxLength: 1 << bits }),
    moves: fc.uniqueArray(fc.record({ partition: fc.nat({ max: (1 << bits) - 1 }), to: nodes }), {
      selector: ({ partition }) => partition,
      maxLength: 3,
    }),
    buckets: fc.array(bucketRecord, { maxLength: 3 }),
    staged: fc.array(staged, { maxLength: 3 }),
  }),
);

const quorum = fc.option(small, { nil: undefined });
const about = { strict: fc.boolean(), trace: fc.boolean(), deadlineMs: whole };
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: fc.constant("get" as const), key: anyKey, r: quorum, ...about }),
  fc.record({
    kind: fc.constant("put" as const),
    key: anyKey,
    context: fc.option(anyContext, { nil: undefined }),
    value: fc.option(value, { nil: undefined }),
    ttlMs: fc.option(fc.nat(), { nil: undefined }),
    operation,
    w: quorum,
    ...about,
  }),
  fc.record({
    kind: fc.constant("scan" as const),
    partition: small,
    after: fc.option(anyKey, { nil: undefined }),
    limit: small,
    bucket,
    prefix: fc.uint8Array({ maxLength: 8 }),
    deadlineMs: whole,
  }),
  fc.record({
    kind: fc.constant("admin" as const),
    name: text,
    arguments: text,
    deadlineMs: whole,
  }),
);

const found = fc.array(fc.tuple(value, fc.record({ time, actor })), { maxLength: 3 });
const result: fc.Arbitrary<Result> = fc.oneof(
  fc.tuple(found, anyContext, small, fc.boolean(), failure).map(
    ([pairs, context, fastest, degraded, trace]): Result => ({
      kind: "found",
      values: pairs.map(([bytes]) => bytes),
      context,
      fastest,
      degraded,
      written: pairs.map(([, written]) => written),
      trace,
    }),
  ),
  fc.record({
    kind: fc.constant("stored" as const),
    context: anyContext,
    fastest: small,
    acks: small,
    trace: failure,
  }),
  fc.record({
    kind: fc.constant("page" as const),
    entries,
    next: fc.option(anyKey, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("answer" as const), json: text }),
  fc.record({
    kind: fc.constant("failed" as const),
    code: text,
    message: text,
    applied: fc.constantFrom("no", "maybe", "yes"),
    retryAfterMs: whole,
  }),
);

const exchange = { exchange: whole, partition: small };
const hashes = fc.array(hash, { maxLength: 6 });
const ballot = fc.record({ round: whole, node: small });
const sequence = { sequence: whole };
const token = fc.option(fc.uint8Array({ maxLength: 50 }), { nil: undefined });
const lives = fc.array(fc.record({ started: time, heartbeat: whole }), { maxLength: 4 });
const heartbeats = fc.array(
  fc.record({
    node: small,
    started: time,
    heartbeat: whole,
    epoch: whole,
    hints: whole,
    filling: whole,
    suspects: nodes,
  }),
  { maxLength: 4 },
);

type Fields<K extends Kind> = {
  readonly [F in keyof Omit<Extract<Message, { kind: K }>, "kind">]: fc.Arbitrary<
    Extract<Message, { kind: K }>[F]
  >;
};

const fields: { readonly [K in Kind]: Fields<K> } = {
  read: { request: whole, key: anyKey, full: fc.boolean(), deadlineMs: whole },
  "read-reply": {
    request: whole,
    standing,
    round: whole,
    digest: hash,
    versions: fc.option(versions, { nil: undefined }),
    failure,
  },
  write: {
    request: whole,
    key: anyKey,
    versions,
    round: whole,
    hintFor: nodes,
    relay: nodes,
    repair: fc.boolean(),
    deadlineMs: whole,
  },
  "write-reply": {
    request: whole,
    outcome: fc.constantFrom("stored", "stale-round", "not-owner", "refused"),
    failure,
  },
  forward: { request: whole, started: whole, command },
  "forward-reply": { request: whole, result },
  list: {
    request: whole,
    partition: small,
    after: fc.option(anyKey, { nil: undefined }),
    limit: whole,
  },
  "list-reply": { request: whole, standing, entries, isEnd: fc.boolean(), failure },
  hints: { request: whole, entries, round: whole },
  "hints-reply": { request: whole, stored: fc.boolean() },
  "no-hints": { since: time },
  "tree-open": { ...exchange, round: whole, root: hash },
  "tree-nodes": { ...exchange, level: small, parents: fc.array(small), hashes },
  "tree-leaves": {
    ...exchange,
    leaves: fc.array(small),
    digests: fc.array(fc.record({ token: hash, digest: hash }), { maxLength: 5 }),
  },
  "tree-pull": { ...exchange, tokens: hashes },
  "tree-push": { ...exchange, entries, round: whole },
  "tree-close": {
    ...exchange,
    outcome: fc.constantFrom("equal", "repaired", "busy", "refused"),
  },
  "transfer-ask": {
    transfer: whole,
    partition: small,
    root: hash,
    skip: fc.uint8Array({ maxLength: 128 }),
    chunks: small,
    after: fc.option(anyKey, { nil: undefined }),
  },
  "transfer-chunk": {
    transfer: whole,
    partition: small,
    index: small,
    round: whole,
    entries,
    next: fc.option(anyKey, { nil: undefined }),
  },
  "transfer-close": {
    transfer: whole,
    partition: small,
    outcome: fc.constantFrom("equal", "differs", "busy", "refused"),
  },
  "filled-ask": { epoch: whole, partitions: fc.array(small) },
  filled: { epoch: whole, partitions: fc.array(small) },
  "cut-ask": { partition: whole, attempt: whole, epoch: whole, expiredBefore: whole },
  cut: {
    ...{ partition: whole, attempt: whole, isReady: fc.boolean(), round: whole, promised: whole },
    events,
  },
  "loose-ask": { partition: whole, attempt: whole, epoch: whole },
  loose: { partition: whole, attempt: whole, isFree: fc.boolean() },
  seal: { partition: whole, attempt: whole, epoch: whole, round: whole },
  sealed: { partition: whole, attempt: whole, isSealed: fc.boolean() },
  floor: { partition: whole, floor: fc.record({ round: whole, expiredBefore: whole, events }) },
  rounds: { rounds: fc.array(fc.record({ partition: whole, round: whole }), { maxLength: 5 }) },
  prepare: { epoch: whole, ballot },
  promise: {
    epoch: whole,
    ballot,
    accepted: fc.option(fc.record({ ballot, state: anyRing }), { nil: undefined }),
  },
  accept: { epoch: whole, ballot, state: anyRing },
  accepted: { epoch: whole, ballot },
  rejected: { epoch: whole, ballot },
  "ring-ask": {},
  ring: { state: anyRing },
  gossip: { heartbeats },
  "gossip-reply": { heartbeats },
  ping: sequence,
  pong: { ...sequence, load: whole },
  "ping-for": { ...sequence, target: small },
  "pong-for": { ...sequence, target: small },
  "lives-ask": { started: whole, lives },
  lives: { started: whole, forgotten: lives },
  survey: { request: whole, question: text },
  "survey-reply": { request: whole, answer: text },
  "context-keys": {
    keys: fc.array(
      fc.record({ number: whole, bytes: fc.uint8Array({ minLength: 16, maxLength: 16 }) }),
      { maxLength: 8 },
    ),
  },
  request: { request: whole, command, token },
  result: { request: whole, result, token },
  "watch-ring": {},
  "ring-news": { state: anyRing, down: nodes },
  "go-away": {},
};

export const everyKind = Object.keys(fields) as readonly Kind[];

export function anyMessageOf(kind: Kind): fc.Arbitrary<Message> {
  return fc.record({ kind: fc.constant(kind), ...fields[kind] }) as fc.Arbitrary<Message>;
}

function hexOf(number: number): string {
  return number.toString(16).padStart(8, "0");
}
