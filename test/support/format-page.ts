/** The bytes that FORMAT.md and WIRE.md show: what the code writes and reads must be these. */
import { readFileSync } from "node:fs";

/**
 * The bytes of all fences with that name, in order. Each hex line begins with its offset; a line
 * with an asterisk repeats the byte before it up to the next offset. JSON is without white space.
 */
export function bytesInPage(name: string, path = "native-free-engine/FORMAT.md"): Uint8Array {
  const bytes: number[] = [];
  for (const [, kind, fence, body = ""] of textOfPage(path).matchAll(
    /```(hex|json) (\S+)\n([^`]*)\n```/g,
  )) {
    if (fence !== name) continue;
    if (kind === "json") bytes.push(...Buffer.from(JSON.stringify(JSON.parse(body))));
    else addHex(bytes, body);
  }
  return Uint8Array.from(bytes);
}

export function textOfPage(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function addHex(bytes: number[], body: string): void {
  let repeats = false;
  for (const line of body.split("\n")) {
    const [first = "", ...digits] = (line.split(";")[0] ?? "").trim().split(/\s+/);
    if (first === "*") {
      repeats = true;
      continue;
    }
    const offset = Number.parseInt(first, 16);
    while (repeats && bytes.length < offset) bytes.push(bytes.at(-1) ?? 0);
    repeats = false;
    if (offset !== bytes.length) throw new Error(`not at ${bytes.length}: ${line}`);
    bytes.push(...digits.map((digit) => Number.parseInt(digit, 16)));
  }
}
