/** `kvctl --db DIR salvage` on the directory of a node: what it says of itself is not kept. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { salvage } from "../../bin/commands/care.ts";
import type { Invocation } from "../../bin/invocation.ts";
import { openEngine } from "../../native-free-engine/index.ts";
import { forgottenVotes } from "../../src/core/members/recall.ts";
import { metaKey } from "../../src/store/keyspace.ts";
import { checkFormat } from "../../src/store/store-format.ts";

const made: string[] = [];
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
});

async function directoryOf({ isNode }: { readonly isNode: boolean }): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "everwrite-salvaged-"));
  made.push(directory);
  const engine = await openEngine(directory);
  if (isNode) await checkFormat(engine);
  for (const name of ["standing", "lives", "vote"]) await engine.put(metaKey(name), "as it was");
  for (let i = 0; i < 2_000; i++) await engine.put(`\u0003 key ${i}`, `value ${i}`);
  await engine.compact();
  await engine.close();
  return directory;
}

function damage(directory: string): void {
  const [table = ""] = readdirSync(directory).filter((name) => name.endsWith(".sst"));
  const bytes = readFileSync(join(directory, table));
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(join(directory, table), bytes);
}

async function salvaged(directory: string) {
  const output = { result: async () => {} };
  const code = await salvage({
    db: directory,
    args: [],
    options: {},
    output,
  } as never as Invocation);
  const engine = await openEngine(directory, { createIfMissing: false });
  const read = async (name: string) => {
    const bytes = await engine.get(metaKey(name));
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  };
  const [standing, lives, vote] = [await read("standing"), await read("lives"), await read("vote")];
  const recall = await engine.get(metaKey("recall"));
  await engine.close();
  return { code, standing, lives, vote, recall: recall === undefined ? recall : [...recall] };
}

const kept = { standing: "as it was", lives: "as it was", vote: "as it was", recall: undefined };

test("of which something is lost: it fills up and asks for its votes first", async () => {
  const directory = await directoryOf({ isNode: true });
  damage(directory);
  const gone = { standing: undefined, lives: undefined, recall: [...forgottenVotes] };
  expect(await salvaged(directory)).toEqual({ ...kept, ...gone, code: 9 });
});

test("of which nothing is lost: it stays as it is", async () => {
  expect(await salvaged(await directoryOf({ isNode: true }))).toEqual({ ...kept, code: 0 });
});

test("of a program that embeds the engine: its keys are its own", async () => {
  const directory = await directoryOf({ isNode: false });
  damage(directory);
  expect(await salvaged(directory)).toEqual({ ...kept, code: 9 });
});
