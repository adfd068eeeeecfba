/** The verbs of a client, against a node that says what a test wants. */
import { afterEach, describe, expect, test } from "vitest";
import type { Client, ConnectOptions } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import type { Command } from "../../src/core/message.ts";
import { FakeNode, found, page, refusal, stored, text } from "./fake-node.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function world(options?: ConnectOptions): Promise<{ node: FakeNode; client: Client }> {
  const node = await FakeNode.open();
  closers.push(() => node.close());
  const client = await connect(node.address, options);
  closers.push(() => client.close());
  return { node, client };
}

function kinds({ commands }: FakeNode): readonly string[] {
  return commands.map(({ kind }) => kind);
}

describe("what is found", () => {
  test("nothing, one value, or siblings, of which none is the value", async () => {
    const { node, client } = await world();
    node.answer = () => found();
    expect((await client.get("key")).value).toBe(undefined);
    node.answer = () => found("one");
    expect(text((await client.get("key")).value)).toBe("one");
    node.answer = () => found("one", "two");
    const both = await client.get("key");
    expect(both.values.map(text)).toEqual(["one", "two"]);
    expect(() => both.value).toThrow(expect.objectContaining({ code: "CONFLICT", applied: "no" }));
  });

  test("siblings become one value where the caller says how, and are still there", async () => {
    const { node, client } = await world();
    node.answer = () => found("b", "a");
    const resolve = (values: Uint8Array[]) => Buffer.concat(values.sort(Buffer.compare));
    const both = await client.get("key", { resolve });
    expect([text(both.value), both.values.map(text)]).toEqual(["ab", ["b", "a"]]);
    const [many] = await client.getMany(["key"], { resolve: () => "text too" });
    expect(text(many?.value)).toBe("text too");
    await expect(client.get("key", { resolve: () => 7 as never })).rejects.toThrow(TypeError);
    const thrown = new Error("cannot");
    const fail = (): never => {
      throw thrown;
    };
    await expect(client.get("key", { resolve: fail })).rejects.toBe(thrown);
    node.answer = () => found("alone");
    expect(text((await client.get("key", { resolve: fail })).value)).toBe("alone");
    expect(kinds(node)).not.toContain("put");
  });

  test("an answer to something else is INTERNAL", async () => {
    const { node, client } = await world();
    node.answer = () => stored;
    await expect(client.get("key")).rejects.toMatchObject({ code: "INTERNAL" });
    await expect(client.admin("status")).rejects.toMatchObject({ code: "INTERNAL" });
    node.answer = () => ({ kind: "answer", json: "{" });
    await expect(client.admin("status")).rejects.toMatchObject({ code: "INTERNAL" });
  });
});

describe("what goes in", () => {
  test("is copied before the call returns, also out of Buffers", async () => {
    const { node, client } = await world();
    const [key, value] = [Buffer.from("key"), Buffer.from("value")];
    node.answer = () => refusal("OVERLOADED", { retryAfterMs: 10 });
    const put = client.put(key, value);
    await expect.poll(() => node.asked.length).toBeGreaterThan(0);
    key.fill(0);
    value.fill(0);
    node.answer = () => stored;
    await put;
    const last = node.commands.at(-1) as Command & { kind: "put" };
    expect([text(last.key.bytes), text(last.value)]).toEqual(["key", "value"]);
  });

  test("reaches the node as it was asked", async () => {
    const { node, client } = await world();
    await client.get("key", { r: 1, strict: true, trace: true });
    await client.bucket("carts").put("key", "v", { w: 3, ttlMs: 1500 });
    expect(node.commands).toMatchObject([
      { kind: "get", r: 1, strict: true, trace: true, key: { bucket: "" } },
      { kind: "put", w: 3, ttlMs: 1500, strict: false, key: { bucket: "carts" } },
    ]);
  });

  test("is refused before anything is sent", async () => {
    const { node, client } = await world();
    const refused: readonly [Promise<unknown>, string][] = [
      [client.get(""), "KEY_EMPTY"],
      [client.get("key", { r: 1e300 }), "QUORUM_INVALID"],
      [client.put("key", "v", { w: 0 }), "QUORUM_INVALID"],
      [client.put("key", "v", { ttlMs: 0 }), "TTL_INVALID"],
      [client.delete("key", { timeoutMs: "100" as never }), "DEADLINE_INVALID"],
      [client.update("", () => "v"), "KEY_EMPTY"],
      [client.getMany(["key", ""]), "KEY_EMPTY"],
      [client.admin("status", { long: "x".repeat(1 << 20) }), "INVALID_ARGUMENT"],
    ];
    for (const [call, code] of refused) {
      await expect(call).rejects.toMatchObject({ code, applied: "no" });
    }
    await expect(client.getMany(undefined as never)).rejects.toThrow(TypeError);
    await expect(client.get("key", { signal: {} as never })).rejects.toThrow(TypeError);
    expect(() => client.scan({ limit: -1 })).toThrow("limit");
    expect(node.asked).toEqual([]);
  });
});

describe("one deadline covers", () => {
  test("both halves of a delete", async () => {
    const { node, client } = await world();
    node.answer = () => "silence";
    const end = client.delete("key", { timeoutMs: 300 }).catch((error: unknown) => error);
    await expect.poll(() => node.asked.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const request = node.asked[0]?.request ?? 0;
    node.tell({ kind: "result", request, result: found("value"), token: undefined });
    expect(await end).toMatchObject({ code: "WRITE_TIMEOUT", applied: "maybe" });
    expect(node.commands[1]?.deadlineMs).toBeLessThanOrEqual(150);
  });

  test("a getMany of more keys than may be asked at a time", async () => {
    const { node, client } = await world({ requestsMax: 300 });
    const keys = Array.from({ length: 600 }, (_, i) => `key ${i}`);
    node.answer = (command) => found(command.kind === "get" ? text(command.key.bytes) : "");
    const values = (await client.getMany(keys)).map(({ value }) => text(value));
    expect(values).toEqual(keys);
    expect(await client.getMany([])).toEqual([]);
    node.answer = () => "silence";
    const started = performance.now();
    await expect(client.getMany(keys, { timeoutMs: 100 })).rejects.toMatchObject({
      code: "READ_TIMEOUT",
    });
    expect(performance.now() - started).toBeLessThan(400);
  });
});

describe("update", () => {
  test("reads, merges and writes until no rival's sibling is left", async () => {
    const { node, client } = await world();
    const reads = [found("a"), found("a+", "rival"), found("a++rival")];
    node.answer = ({ kind }) => (kind === "get" ? (reads.shift() ?? found()) : stored);
    const merged: string[][] = [];
    await client.update("key", (values) => {
      merged.push(values.map(text));
      return values.map(text).join("+");
    });
    expect(merged).toEqual([["a"], ["a+", "rival"]]);
    expect(kinds(node)).toEqual(["get", "put", "get", "put", "get"]);
  });

  test("gives up when rivals never stop, and says that its write is there", async () => {
    const { node, client } = await world();
    node.answer = ({ kind }) => (kind === "get" ? found("a", "b") : stored);
    await expect(client.update("key", () => "merged")).rejects.toMatchObject({
      code: "CONFLICT",
      applied: "yes",
    });
    expect(kinds(node).filter((kind) => kind === "put").length).toBe(16);
  });

  test("that cannot look afterwards says that its write is there", async () => {
    const { node, client } = await world();
    let reads = 0;
    node.answer = ({ kind }) => (kind === "put" ? stored : reads++ === 0 ? found() : "silence");
    const call = client.update("key", () => "merged", { timeoutMs: 150 });
    await expect(call).rejects.toMatchObject({ code: "READ_TIMEOUT", applied: "yes" });
  });

  test("whose merge throws writes nothing", async () => {
    const { node, client } = await world();
    const thrown = new Error("cannot");
    const merge = (): never => {
      throw thrown;
    };
    await expect(client.update("key", merge)).rejects.toBe(thrown);
    expect(kinds(node)).toEqual(["get"]);
  });
});

describe("scan", () => {
  test("asks every partition, page after page, and shows values with their times", async () => {
    const { node, client } = await world();
    node.answer = (command) => {
      if (command.kind !== "scan") return stored;
      if (command.partition !== 1) return page(command.bucket, [`p${command.partition}`]);
      return command.after === undefined ? page("", ["a", "b"], "b") : page("", ["c"]);
    };
    const seen: string[] = [];
    for await (const [key, { value, written }] of client.scan()) {
      seen.push(text(key));
      expect([text(value), written]).toEqual([
        `value of ${text(key)}`,
        [{ time: 1, actor: "0123456789abcdef" }],
      ]);
    }
    expect(seen).toEqual(["p0", "a", "b", "c", "p2", "p3"]);
  });

  test("stops at its limit, also within a page, and asks no more", async () => {
    const { node, client } = await world();
    node.answer = (command) => page("", command.kind === "scan" ? ["a", "b", "c"] : []);
    const seen: string[] = [];
    for await (const [key] of client.scan({ limit: 4 })) seen.push(text(key));
    expect(seen).toEqual(["a", "b", "c", "a"]);
    expect(node.commands).toMatchObject([{ limit: 4 }, { limit: 1 }]);
    for await (const _ of client.scan({ limit: 0 })) expect.unreachable();
  });

  test("asks for its bucket and prefix, whose buffer may be used again at once", async () => {
    const { node, client } = await world();
    const prefix = Buffer.from("user:");
    const scan = client.bucket("people").scan({ prefix });
    prefix.fill(0);
    for await (const _ of scan) expect.unreachable();
    expect(node.commands.length).toBe(4);
    for (const command of node.commands) {
      expect(command).toMatchObject({
        bucket: "people",
        prefix: new Uint8Array(Buffer.from("user:")),
      });
    }
  });

  test("asks a page again whose node went away", async () => {
    const { node, client } = await world();
    let cuts = 0;
    node.answer = (command) =>
      command.kind === "scan" && command.partition === 2 && cuts++ < 2 ? "cut" : page("", ["k"]);
    const seen: string[] = [];
    for await (const [key] of client.scan()) seen.push(text(key));
    expect(seen.length).toBe(4);
  });
});
