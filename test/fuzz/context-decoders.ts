/**
 * What clients carry about (contexts, tokens of sessions) and what stores keep of versions: given
 * back by anybody, or read from a disk that may be damaged.
 */
import fc from "fast-check";
import type { Engine } from "../../native-free-engine/index.ts";
import { Context } from "../../src/client/context.ts";
import { ClusterSession } from "../../src/client/session.ts";
import { openContext, readContext, sealContext } from "../../src/core/context-token.ts";
import { keyOf } from "../../src/core/key.ts";
import { sipHash } from "../../src/core/siphash.ts";
import { Writer } from "../../src/core/wire/writer.ts";
import { clusterCodes, isClusterError } from "../../src/errors.ts";
import { decodeIdentity, encodeIdentity, newMacKey } from "../../src/runtime/identity.ts";
import { ActorTable } from "../../src/store/actor-table.ts";
import { Floors } from "../../src/store/floors.ts";
import { decodeRecord, encodeRecord } from "../../src/store/record.ts";
import { RecordReader } from "../../src/store/record-reader.ts";
import { formatOf } from "../../src/store/store-format.ts";
import { anyContext, anyMessageOf } from "../core/any-message.ts";
import { type Field, mutateSample, type Sample } from "./bytes-mutator.ts";
import { mutateText, oneOf } from "./text-mutator.ts";
import type { Decoder, Draw, Trial } from "./trial.ts";
import { expectSame, sampleWith, trialOf } from "./wire-decoders.ts";

export const contextDecoders: readonly Decoder[] = [
  { name: "contexts", perMillion: 60_000, prepare: drawContexts },
  { name: "printed-contexts", perMillion: 20_000, prepare: drawPrinted },
  { name: "session-tokens", perMillion: 15_000, prepare: drawSessions },
  { name: "store-records", perMillion: 70_000, prepare: drawRecords },
  { name: "store-meta", perMillion: 20_000, prepare: drawMeta },
  { name: "identities", perMillion: 15_000, prepare: drawIdentities },
];

const sampleSeed = 1;
const macBytes = 8;
const clusterId = "0123456789abcdef0123456789abcdef";
const key = keyOf("carts", new TextEncoder().encode("ann"));
const place = { clusterId, key };
const macKey = { number: 7, bytes: new Uint8Array(16).fill(7) };

function contextTokens(): readonly Uint8Array[] {
  return fc
    .sample(anyContext, { seed: sampleSeed, numRuns: 40 })
    .map((context, i) => sealContext({ context, fastest: i }, place, [macKey]));
}

function drawContexts(): Draw {
  const tokens = contextTokens();
  const samples = tokens.map((bytes) =>
    sampleWith(bytes, () => openContext(bytes, place, [macKey])),
  );
  const known = new Set(tokens.map((bytes) => Buffer.from(bytes).toString("hex")));
  return (random) => {
    const bytes = mutateSample(random, samples);
    const isSealed = random() < 0.7;
    if (isSealed) seal(bytes);
    return trialOf(bytes, () => {
      readContext(bytes);
      const opened = openContext(bytes, place, [macKey]);
      if (opened.kind === "failed") {
        if (!Object.hasOwn(clusterCodes, opened.code)) throw new Error(`no code: ${opened.code}`);
        return false;
      }
      if (!isSealed && !known.has(Buffer.from(bytes).toString("hex"))) {
        throw new Error("taken without a seal of ours");
      }
      expectSame(sealContext(opened, place, [macKey]), bytes);
      return true;
    });
  };
}

/** As whoever holds the cluster's key would: what stands behind the seal is put to the test. */
function seal(token: Uint8Array): void {
  const end = token.length - macBytes;
  if (end < 10) return;
  const covered = new Writer();
  covered.raw(token.subarray(0, end));
  covered.hex(clusterId, 16);
  covered.text(key.bucket);
  covered.block(key.bytes);
  const { high, low } = sipHash(macKey.bytes, covered.bytes, covered.at);
  const mac = new Writer();
  mac.words(high, low);
  token.set(mac.bytes.subarray(0, macBytes), end);
}

function drawPrinted(): Draw {
  const texts = contextTokens().map((bytes) => new Context(bytes).toString());
  return (random) => {
    const text = mutateText(random, texts);
    return textTrial(text, () =>
      takenUnless(["CONTEXT_INVALID"], () => {
        const context = Context.parse(text);
        readContext(context.bytes);
        // Base64 may end in bits that say nothing: the bytes are what counts.
        expectSame(Context.parse(String(context)).bytes, context.bytes);
      }),
    );
  };
}

function drawSessions(): Draw {
  const contexts = contextTokens().map((bytes) => new Context(bytes).toString());
  const texts = [1, 2, 3, 8].map((length) =>
    JSON.stringify(
      Array.from({ length }, (_, i) => [`6b6579${i}${i}`, contexts.slice(i, i + 1 + (i % 2))]),
    ),
  );
  return (random) => {
    const text = mutateText(random, texts);
    const token = random() < 0.9 ? Buffer.from(text).toString("base64url") : text;
    return textTrial(token, () =>
      takenUnless(["CONTEXT_INVALID"], () => {
        const first = sessionOf(token).token;
        if (sessionOf(first).token !== first) throw new Error("a token of ours is another one");
      }),
    );
  };
}

function sessionOf(token: string): ClusterSession {
  const unused = async () => {
    throw new Error("nothing is read or written");
  };
  const bucket = {
    ...{ get: unused, put: unused, delete: unused, update: unused, getMany: unused },
    scan: () => {
      throw new Error("nothing is read");
    },
  };
  return new ClusterSession({ bucket, timeoutMs: 1000, n: () => 3 }, token);
}

function drawRecords(): Draw {
  const actors = new ActorTable();
  const writes = fc.sample(anyMessageOf("write"), { seed: sampleSeed, numRuns: 60 });
  const versions = writes.flatMap((one) => (one.kind === "write" ? [one.versions] : []));
  const samples = versions.flatMap((one) => {
    return [true, false].map((keepTimes): Sample => {
      const bytes = encodeRecord(one, actors, { keepTimes }).slice();
      return { bytes, fields: numbersIn(bytes, () => decodeRecord(bytes, actors)) };
    });
  });
  const short = samples.filter(({ bytes }) => bytes.length < 1500);
  return (random) => {
    const bytes = mutateSample(random, short);
    return trialOf(bytes, () => {
      const decoded = decodeRecord(bytes, actors);
      if (decoded.kind === "invalid") return false;
      const once = encodeRecord(decoded.versions, actors, { keepTimes: true }).slice();
      const again = decodeRecord(once, actors);
      if (again.kind === "invalid") throw new Error(`taken, but not as written: ${again.why}`);
      expectSame(encodeRecord(again.versions, actors, { keepTimes: true }), once);
      return true;
    });
  };
}

/** The places of numbers, as the reader of records comes to them. */
function numbersIn(bytes: Uint8Array, decode: () => unknown): readonly Field[] {
  const fields: Field[] = [];
  const { number } = RecordReader.prototype;
  RecordReader.prototype.number = function (this: RecordReader): number {
    const at = bytes.length - this.left;
    const value = number.call(this);
    fields.push({ at, end: bytes.length - this.left, form: "varint" });
    return value;
  };
  try {
    decode();
  } finally {
    RecordReader.prototype.number = number;
  }
  return fields;
}

/** Records that a store keeps beside its data: the mark of its version, the floors. */
function drawMeta(): Draw {
  const mark = { bytes: new TextEncoder().encode("everwrite-store 2"), fields: [] };
  const floor = [1, 9, 2, 0, 3, 0, 5, 1, 200, 1, 2, 7];
  const bare = [1, 0xff, 0xff, 3, 0, 0, 0];
  const samples = [mark, ...[floor, bare].map((list) => sampleOfBytes(Uint8Array.from(list)))];
  const actors = new ActorTable();
  for (let i = 1; i < 5; i++) actors.indexOf(String(i).padStart(16, "0"));
  return (random) => {
    const bytes = mutateSample(random, samples);
    // All that these readers ask of an engine.
    const engine = { get: async () => bytes } as Partial<Engine> as Engine;
    return trialOf(bytes, async () => {
      const { kind } = await formatOf(engine);
      const floors = await Floors.load(engine, actors, 1);
      return kind === "store" || floors.of(0).round > 0;
    });
  };
}

function sampleOfBytes(bytes: Uint8Array): Sample {
  const fields = Array.from(bytes, (_, at) => ({ at, end: at + 1, form: "varint" as const }));
  return { bytes, fields };
}

function drawIdentities(): Draw {
  const identity = {
    ...{ clusterId, id: 3, address: "127.0.0.1:7400", started: 1_700_000_000_000 },
    contextKeys: [newMacKey(2), newMacKey(1)] as const,
  };
  const text = Buffer.from(encodeIdentity(identity)).toString();
  return (random) => {
    const mutated = mutateText(random, [text]);
    const bytes = Buffer.from(mutated, oneOf(random, ["utf8", "latin1"]) as BufferEncoding);
    return textTrial(mutated, () =>
      takenUnless(["CORRUPTION", "FORMAT_TOO_NEW"], () => {
        const { contextKeys } = decodeIdentity(bytes, "n1");
        if (contextKeys.some((one) => one.bytes.length !== 16)) throw new Error("a short key");
      }),
    );
  };
}

export function textTrial(text: string, judge: () => boolean | Promise<boolean>): Trial {
  return { bytes: Buffer.byteLength(text), judge, show: () => JSON.stringify(text) };
}

/** False for an error of the cluster with one of these codes; any other one is a failure. */
export function takenUnless(codes: readonly string[], act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (isClusterError(error) && codes.includes(error.code)) return false;
    throw error;
  }
}
