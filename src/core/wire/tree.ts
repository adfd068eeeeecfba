/** Comparing and trading what two replicas hold of one partition. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { Hash, KeyDigest, TreeMessage } from "../message.ts";
import { readHash, writeHash } from "./key.ts";
import { kinds } from "./kinds.ts";
import type { Reader } from "./reader.ts";
import { readEntries, writeEntries } from "./versions.ts";
import type { Writer } from "./writer.ts";

type Close = Extract<TreeMessage, { readonly kind: "tree-close" }>;

const outcomes: readonly Close["outcome"][] = ["equal", "repaired", "busy", "refused"];

export function writeTree(writer: Writer, message: TreeMessage): void {
  writer.u8(kinds[message.kind]);
  writer.varint(message.exchange);
  writer.varint(message.partition);
  switch (message.kind) {
    case "tree-open":
      writer.varint(message.round);
      writeHash(writer, message.root);
      break;
    case "tree-nodes":
      writer.varint(message.level);
      writeNumbers(writer, message.parents);
      writeHashes(writer, message.hashes);
      break;
    case "tree-leaves":
      writeNumbers(writer, message.leaves);
      writer.count(message.digests.length);
      for (const { token, digest } of message.digests) {
        writeHash(writer, token);
        writeHash(writer, digest);
      }
      break;
    case "tree-pull":
      writeHashes(writer, message.tokens);
      break;
    case "tree-push":
      writer.varint(message.round);
      writeEntries(writer, message.entries);
      break;
    case "tree-close":
      writer.u8(outcomes.indexOf(message.outcome));
      break;
    default:
      unreachable(message);
  }
}

export function readTree(reader: Reader, code: number): TreeMessage {
  const exchange = reader.varint();
  const partition = reader.varint();
  const about = { exchange, partition };
  switch (code) {
    case kinds["tree-open"]:
      return { kind: "tree-open", ...about, round: reader.varint(), root: readHash(reader) };
    case kinds["tree-nodes"]: {
      const level = reader.varint();
      const parents = readNumbers(reader);
      return { kind: "tree-nodes", ...about, level, parents, hashes: readHashes(reader) };
    }
    case kinds["tree-leaves"]: {
      const leaves = readNumbers(reader);
      return { kind: "tree-leaves", ...about, leaves, digests: readDigests(reader) };
    }
    case kinds["tree-pull"]:
      return { kind: "tree-pull", ...about, tokens: readHashes(reader) };
    case kinds["tree-push"]: {
      const round = reader.varint();
      return { kind: "tree-push", ...about, entries: readEntries(reader), round };
    }
    case kinds["tree-close"]: {
      const outcome = outcomes[reader.below(4, "end of an exchange")]!;
      return { kind: "tree-close", ...about, outcome };
    }
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}

export function writeNumbers(writer: Writer, numbers: readonly number[]): void {
  writer.count(numbers.length);
  for (const number of numbers) writer.varint(number);
}

export function readNumbers(reader: Reader): readonly number[] {
  const numbers: number[] = [];
  for (let left = reader.count(1); left > 0; left--) numbers.push(reader.varint());
  return numbers;
}

function writeHashes(writer: Writer, hashes: readonly Hash[]): void {
  writer.count(hashes.length);
  for (const hash of hashes) writeHash(writer, hash);
}

function readHashes(reader: Reader): readonly Hash[] {
  const hashes: Hash[] = [];
  for (let left = reader.count(8); left > 0; left--) hashes.push(readHash(reader));
  return hashes;
}

function readDigests(reader: Reader): readonly KeyDigest[] {
  const digests: KeyDigest[] = [];
  for (let left = reader.count(16); left > 0; left--) {
    digests.push({ token: readHash(reader), digest: readHash(reader) });
  }
  return digests;
}
