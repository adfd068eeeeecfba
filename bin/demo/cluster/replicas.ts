/**
 * What the stopped nodes hold: each directory is exported by a kvctl of its own, and the lines are
 * compared as they are, versions included. They are canonical, so equal contents are equal bytes.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Expected } from "./load.ts";

const kvctlPath = fileURLToPath(new URL("../../kvctl.js", import.meta.url));

export interface Replica {
  readonly digest: string;
  readonly lines: readonly string[];
}

export async function exportOf(directory: string): Promise<Replica> {
  const child = spawn(process.execPath, [kvctlPath, "--db", directory, "export"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const hash = createHash("sha256");
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    chunks.push(chunk);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const lines = Buffer.concat(chunks).toString("utf8").split("\n").slice(0, -1);
  // What could not be read equals nothing.
  return code === 0 ? { digest: hash.digest("hex"), lines } : { digest: "unreadable", lines: [] };
}

export interface Agreement {
  /** Keys that have another number of equal copies than `copies`. */
  readonly unequal: number;
  /** Keys that are missing, changed or not expected at all. */
  readonly wrong: number;
  readonly keys: number;
}

/** With as many nodes as copies this means that all directories hold the same bytes. */
export function agreementOf(
  replicas: readonly Replica[],
  { copies, expected }: { readonly copies: number; readonly expected: Expected },
): Agreement {
  const counts = new Map<string, number>();
  for (const { lines } of replicas) {
    for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  let unequal = 0;
  let right = 0;
  const keys = new Set<string>();
  for (const [line, count] of counts) {
    if (count !== copies) unequal += 1;
    const { key, value } = JSON.parse(line) as { key: string; value?: string };
    if (!keys.has(key) && expected.get(key) === value) right += 1;
    keys.add(key);
  }
  const missing = [...expected.keys()].filter((key) => !keys.has(key)).length;
  return { unequal, wrong: keys.size - right + missing, keys: keys.size };
}
