/** The keys that seal contexts, from node to node: never to a client. */
import type { KeysMessage } from "../message.ts";
import { kinds } from "./kinds.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

const macKeyBytes = 16;
const keysMax = 8;

export function writeKeys(writer: Writer, { kind, keys }: KeysMessage): void {
  writer.u8(kinds[kind]);
  writer.count(keys.length);
  for (const { number, bytes } of keys) {
    writer.varint(number);
    writer.block(bytes);
  }
}

export function readKeys(reader: Reader): KeysMessage {
  const keys: { number: number; bytes: Uint8Array }[] = [];
  for (let left = reader.count(2 + macKeyBytes, keysMax); left > 0; left--) {
    const number = reader.varint();
    const bytes = reader.block();
    if (bytes.length !== macKeyBytes) reader.fail(`a key of ${bytes.length} bytes`);
    keys.push({ number, bytes });
  }
  return { kind: "context-keys", keys };
}
