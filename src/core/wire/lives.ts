/** Lives of a node, in messages and in its records alike. */
import type { Life } from "../members/lives-message.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

const lifeBytesMin = 2;

export function writeLives(writer: Writer, lives: readonly Life[]): void {
  writer.count(lives.length);
  for (const { started, heartbeat } of lives) {
    writer.varint(started);
    writer.varint(heartbeat);
  }
}

export function readLives(reader: Reader, max: number): readonly Life[] {
  const lives: Life[] = [];
  for (let left = reader.count(lifeBytesMin, max); left > 0; left--) {
    lives.push({ started: reader.varint(), heartbeat: reader.varint() });
  }
  return lives;
}
