/** Buckets through the client of a real node: their properties, resolvers and times to live. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../src/client/api.ts";
import { pnCounter } from "../../src/client/crdt/pn-counter.ts";
import { type RunningNode, startNode } from "../../src/runtime/server.ts";
import { text } from "./fake-node.ts";

let base = "";
let node: RunningNode;
let client: Client;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "everwrite-buckets-"));
  node = await startNode({
    ...{ data: join(base, "n1"), listen: "127.0.0.1:0", durability: "os", partitions: 16 },
    ...{ memtableBytes: 1 << 20, cacheBytes: 1 << 20 },
  });
  client = await node.client();
});

afterAll(async () => {
  await client?.close();
  await node?.close();
  rmSync(base, { recursive: true, force: true });
});

async function refused(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "it was done",
    (error: unknown) => error,
  );
}

describe("properties", () => {
  test("are given, changed and listed", async () => {
    await client.createBucket("listed", { resolver: "lww", ttlMs: 86_400_000 });
    await client.setBucket("listed", { r: 1, ttlMs: Number.POSITIVE_INFINITY });
    const own = (await client.buckets()).filter(({ name }) => name === "listed");
    expect(own).toEqual([{ name: "listed", r: 1, w: 0, resolver: "lww", ttlMs: 0 }]);
    await client.createBucket("listed", { resolver: "lww", r: 1 });
  });

  test("that cannot be are refused with a code", async () => {
    await client.createBucket("there");
    const calls: readonly [() => Promise<unknown>, object][] = [
      [() => client.createBucket("there", { w: 1 }), { code: "BUCKET_EXISTS", applied: "no" }],
      [() => client.setBucket("not there", { w: 1 }), { code: "BUCKET_UNKNOWN", applied: "no" }],
      [() => client.createBucket("bad r", { r: 8 }), { code: "QUORUM_INVALID" }],
      [() => client.createBucket("bad ttl", { ttlMs: -1 }), { code: "TTL_INVALID" }],
      [() => client.createBucket("", {}), { code: "INVALID_ARGUMENT" }],
      [() => client.createBucket("nul\0"), { code: "INVALID_ARGUMENT" }],
      [
        () => client.createBucket("x", { resolver: "newest" as never }),
        { code: "INVALID_ARGUMENT" },
      ],
      [() => client.createBucket("x", { ttl: 5 } as never), { code: "INVALID_ARGUMENT" }],
    ];
    for (const [call, error] of calls) expect(await refused(call())).toMatchObject(error);
  });
});

describe("a resolver", () => {
  test("makes one value of siblings for get, getMany, scan and update; all are there", async () => {
    await client.createBucket("tags", { resolver: "union" });
    const tags = client.bucket("tags");
    await tags.put("key", '["b","a"]');
    await tags.put("key", '["c"]');
    const found = await tags.get("key");
    expect(text(found.value)).toBe('["a","b","c"]');
    expect(found.values).toHaveLength(2);
    expect((await tags.getMany(["key"])).map(({ value }) => text(value))).toEqual([
      '["a","b","c"]',
    ]);
    for await (const [, { value }] of tags.scan()) expect(text(value)).toBe('["a","b","c"]');
    const seen: string[][] = [];
    await tags.update("key", (values) => {
      seen.push(values.map(text));
      return JSON.stringify([...JSON.parse(text(values[0])), "d"]);
    });
    expect(seen).toEqual([['["a","b","c"]']]);
    expect((await tags.get("key")).values.map(text)).toEqual(['["a","b","c","d"]']);
  });

  test("leaves what is not of its form to the caller, whose own goes first", async () => {
    const tags = client.bucket("tags");
    await tags.put("mixed", '["a"]');
    await tags.put("mixed", "no array");
    const found = await tags.get("mixed");
    expect(() => found.value).toThrow(/2 values/);
    const resolve = (values: Uint8Array[]): string => values.map(text).sort().join(" | ");
    expect(text((await tags.get("mixed", { resolve })).value)).toBe('["a"] | no array');
  });

  test("counts, and takes the last write, as its name says", async () => {
    await client.createBucket("counts", { resolver: "counter" });
    const counts = client.bucket("counts");
    for (const writer of ["a", "b"]) {
      await counts.put("hits", pnCounter.encode(pnCounter.add(pnCounter.empty, { by: 2, writer })));
    }
    const sum = pnCounter.decode((await counts.get("hits")).value ?? new Uint8Array());
    expect(sum && pnCounter.value(sum)).toBe(4);
    await client.createBucket("last", { resolver: "lww" });
    const last = client.bucket("last");
    await last.put("key", "first");
    await new Promise((resolve) => setTimeout(resolve, 2));
    await last.put("key", "second");
    expect(text((await last.get("key")).value)).toBe("second");
  });

  test("is learnt by clients that were there before", async () => {
    const other = await node.client();
    await client.createBucket("new", { resolver: "lww" });
    const bucket = other.bucket("new");
    await bucket.put("key", "a");
    await bucket.put("key", "b");
    await expect.poll(async () => text((await bucket.get("key")).value)).toBe("b");
    await other.close();
  });
});

describe("a time to live", () => {
  test("is the bucket's, unless the write has its own", async () => {
    await client.createBucket("short", { ttlMs: 80 });
    const short = client.bucket("short");
    await short.put("usual", "1");
    await short.put("kept", "2", { ttlMs: Number.POSITIVE_INFINITY });
    expect(text((await short.get("usual")).value)).toBe("1");
    await expect.poll(async () => (await short.get("usual")).value).toBeUndefined();
    expect(text((await short.get("kept")).value)).toBe("2");
    const keys: string[] = [];
    for await (const [key] of short.scan()) keys.push(text(key));
    expect(keys).toEqual(["kept"]);
  });
});
