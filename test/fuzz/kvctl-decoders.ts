/**
 * What people and programs give to kvctl: lines to import, arguments, options; and values that
 * merge by themselves, which anybody may have written.
 */
import { formatOf, keyOf as keyArgument, limitOf } from "../../bin/arguments.ts";
import { decode } from "../../bin/bytes.ts";
import { parseHosts } from "../../bin/certificates/authority.ts";
import { contextOf, quorumOf, timeoutOf } from "../../bin/cluster/connection.ts";
import { rangeOf } from "../../bin/commands/scan.ts";
import { formatEntry, lineParser } from "../../bin/entry-lines.ts";
import { CommandError } from "../../bin/exit.ts";
import { type Invocation, isForCluster } from "../../bin/invocation.ts";
import { linesOf } from "../../bin/line-reader.ts";
import { createOutput } from "../../bin/output.ts";
import { parseDuration } from "../../bin/units.ts";
import type { Crdt } from "../../src/client/crdt/crdt.ts";
import { gSet } from "../../src/client/crdt/g-set.ts";
import { orSet } from "../../src/client/crdt/or-set.ts";
import { pnCounter } from "../../src/client/crdt/pn-counter.ts";
import { parseEndpoints } from "../../src/client/endpoints.ts";
import { resolvers } from "../../src/client/resolve/resolver.ts";
import { isClusterError } from "../../src/errors.ts";
import { pick } from "../support/random.ts";
import { textTrial } from "./context-decoders.ts";
import { mutateText, oneOf } from "./text-mutator.ts";
import type { Decoder, Draw } from "./trial.ts";
import { expectSame } from "./wire-decoders.ts";

export const kvctlDecoders: readonly Decoder[] = [
  { name: "import-lines", perMillion: 45_000, prepare: drawLines },
  { name: "streams-of-lines", perMillion: 5_000, prepare: drawStreams },
  { name: "arguments", perMillion: 12_000, prepare: drawArguments },
  { name: "merging-values", perMillion: 10_000, prepare: drawValues },
];

const lineSamples = {
  ndjson: [
    '{"key":"user:42","value":"Ada"}',
    '{"key":"Körbe","value":{"a":[1,2,{"b":"}"}],"c":12345678901234567890}}',
    '{"keyBase64":"AP8=","valueBase64":"/wD/"}',
    '{"value":"x\\u0041\\n","key":"61ff","more":null}',
    '{"key":"YQ==","value":"6162"}',
  ],
  tsv: ["user:42\tAda", "61ff\t6162\r", "YQ==\tYWI=", "Körbe\tein\tTab"],
} as const;
const limits = { keyBytesMax: 1024, valueBytesMax: 50_000 };
const lineBytesMax = 1 << 20;
const plain = { format: "ndjson", encoding: "text" } as const;

function drawLines(): Draw {
  return (random) => {
    const format = pick(random, 4) === 0 ? "tsv" : "ndjson";
    const encoding = (["text", "text", "hex", "base64"] as const)[pick(random, 4)] ?? "text";
    const line = mutateText(random, lineSamples[format]);
    return textTrial(line, () => {
      const entry = lineParser({ format, encoding }, limits)(line);
      if (entry === undefined) return false;
      if ("problem" in entry) {
        if (entry.problem === "") throw new Error("no reason is given");
        return false;
      }
      const [key, value] = [Buffer.from(entry.key), Buffer.from(entry.value)];
      if (key.length > limits.keyBytesMax) throw new Error("a key beyond the limit");
      if (value.length > limits.valueBytesMax) throw new Error("a value beyond the limit");
      // What was taken can be written as a line that says the same.
      const written = formatEntry(key, value, plain);
      const again = lineParser(plain, limits)(written.slice(0, -1));
      if (again === undefined || "problem" in again) throw new Error(`written as ${written}`);
      expectSame(Buffer.from(again.key), key);
      expectSame(Buffer.from(again.value), value);
      return true;
    });
  };
}

/** However a stream is cut into chunks, its lines are the same. */
function drawStreams(): Draw {
  const text = `\ufeff${lineSamples.ndjson.join("\n")}\n\n${lineSamples.tsv.join("\n")}`;
  return (random) => {
    const bytes = Buffer.from(mutateText(random, [text]));
    for (let i = pick(random, 3); i > 0; i--) bytes[pick(random, bytes.length)] = pick(random, 256);
    const ends = Array.from({ length: pick(random, 6) }, () => pick(random, bytes.length + 1));
    ends.sort((a, b) => a - b);
    return textTrial(bytes.toString("latin1"), async () => {
      const whole = await linesIn([bytes]);
      const starts = [0, ...ends];
      const parts = starts.map((start, i) => bytes.subarray(start, ends[i] ?? bytes.length));
      const cut = await linesIn(parts);
      if (cut !== whole) throw new Error(`${cut} instead of ${whole}`);
      return !whole.includes('"problem"');
    });
  };
}

async function linesIn(chunks: readonly Uint8Array[]): Promise<string> {
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }
  const lines: unknown[] = [];
  for await (const block of linesOf(stream(), lineBytesMax)) lines.push(...block);
  return JSON.stringify(lines);
}

function drawArguments(): Draw {
  const texts = {
    key: ["user:42", "61ff00", "YWJj", "Körbe"],
    timeout: ["5s", "1.5h", "500ms"],
    limit: ["100", "0"],
    endpoints: ["127.0.0.1:7400,[::1]:7401", "localhost"],
    hosts: ["node1.example.com,10.0.0.1", "*.example.com,[::1]"],
    context: ["AQcAAAAA", "-_09"],
    quorum: ["2", "1"],
    format: ["ndjson", "tsv"],
  } as const;
  const output = createOutput({ json: false, streams: process });
  return (random) => {
    const drawn = <K extends keyof typeof texts>(name: K) => mutateText(random, texts[name]);
    const [key, timeout, limit] = [drawn("key"), drawn("timeout"), drawn("limit")];
    const encoding = oneOf(random, ["hex", "base64", "text"]);
    const options = {
      ...{ [encoding]: true, timeout, limit, context: drawn("context"), format: drawn("format") },
      ...{ r: drawn("quorum"), w: drawn("quorum"), gte: key, reverse: random() < 0.5 },
      ...(random() < 0.3 ? { prefix: key, gte: undefined } : {}),
    };
    const invocation: Invocation = {
      ...{ args: [key], options, output, onInterrupt: () => undefined },
      ...{ db: random() < 0.5 ? "data" : undefined, endpoints: drawn("endpoints") },
    };
    const hosts = drawn("hosts");
    const acts = [
      () => keyArgument(invocation),
      () => rangeOf(options),
      () => limitOf(limit),
      () => formatOf(options),
      () => quorumOf(invocation),
      () => timeoutOf(invocation),
      () => contextOf(invocation),
      () => isForCluster(invocation),
      () => parseDuration(timeout),
      () => parseHosts(hosts),
      () => parseEndpoints(invocation.endpoints ?? ""),
      () => decode(key, "base64"),
      () => decode(key, "hex"),
    ];
    const text = JSON.stringify([key, options, invocation.endpoints, hosts]);
    return textTrial(text, () => acts.filter((act) => isTaken(act)).length > acts.length / 2);
  };
}

/** kvctl prints these errors by code and ends with the exit code that belongs to it. */
function isTaken(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof CommandError || isClusterError(error)) return false;
    throw error;
  }
}

function drawValues(): Draw {
  const encoder = new TextEncoder();
  const counter = pnCounter.add(pnCounter.empty, { by: 8, writer: "web-1" });
  const samples = [
    gSet.encode(gSet.add(gSet.add(gSet.empty, "x"), "y")),
    orSet.encode(orSet.remove(orSet.add(orSet.empty, "milk", "t1"), "milk")),
    orSet.encode(orSet.add(orSet.add(orSet.empty, "milk", "t2"), "tea", "t3")),
    pnCounter.encode(pnCounter.add(counter, { by: -3, writer: "web-2" })),
    encoder.encode('[1,"a",{"b":[2.5,null,true]},[]]'),
  ].map((bytes) => Buffer.from(bytes).toString());
  return (random) => {
    const text = mutateText(random, samples);
    const other = encoder.encode(oneOf(random, samples));
    const bytes = encoder.encode(text);
    return textTrial(text, () => {
      const isMember = [
        agrees(gSet, bytes, other),
        agrees(orSet, bytes, other),
        agrees(pnCounter, bytes, other),
      ].includes(true);
      const siblings = [bytes, other].map((value, i) => ({ value, time: 5, actor: `a${i}` }));
      const resolved = Object.values(resolvers).map((resolve) => {
        const one = resolve(siblings);
        const turned = resolve(siblings.toReversed());
        if (one !== undefined && turned !== undefined) expectSame(one, turned);
        else if (one !== turned) throw new Error("the order of siblings matters");
        return one;
      });
      return isMember || resolved.filter((one) => one !== undefined).length > 1;
    });
  };
}

/** What is taken is written and read as the same, and merges the same both ways. */
function agrees<State>(crdt: Crdt<State>, bytes: Uint8Array, other: Uint8Array): boolean {
  const state = crdt.decode(bytes);
  if (state === undefined) return false;
  const once = crdt.encode(state);
  const again = crdt.decode(once);
  if (again === undefined) throw new Error("taken, but not as written");
  expectSame(crdt.encode(again), once);
  const second = crdt.decode(other);
  if (second === undefined) return true;
  expectSame(crdt.encode(crdt.merge(state, second)), crdt.encode(crdt.merge(second, state)));
  return true;
}
