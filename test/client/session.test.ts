/** Sessions: what one has seen it sees again, however few replicas a read asks. */
import { describe, expect, test } from "vitest";
import type { Bucket, Found, GetOptions, PutOptions } from "../../src/client/api.ts";
import { Context } from "../../src/client/context.ts";
import { ClusterSession } from "../../src/client/session.ts";
import {
  contextOf,
  merge,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";
import { readContext, sealContext } from "../../src/core/context-token.ts";
import { keyOf } from "../../src/core/key.ts";
import { ClusterError } from "../../src/errors.ts";
import { text } from "./fake-node.ts";

const clusterId = "0123456789abcdef0123456789abcdef";
const macKeys = [{ number: 1, bytes: new Uint8Array(16) }] as const;

/** Replicas of any key; a read asks the first r of those that are there, a write stores in one. */
class Replicas {
  readonly held = [noVersions, noVersions, noVersions];
  readonly reads: (number | undefined)[] = [];
  readonly timeouts: (number | undefined)[] = [];
  away = 0;
  #writes = 0;

  get bucket(): Bucket {
    const refuse = (): never => expect.unreachable("not of these tests");
    return {
      get: async (_key, options) => this.#get(options),
      put: async (_key, object, options) => this.put(2, String(object), options),
      delete: async (_key, options) => this.put(2, undefined, options),
      ...{ update: refuse, getMany: refuse, scan: refuse },
    };
  }

  put(replica: number, value: string | undefined, { context, timeoutMs }: PutOptions = {}) {
    this.timeouts.push(timeoutMs);
    this.#writes += 1;
    const at = this.#writes;
    const seen = readContext(context?.bytes ?? new Uint8Array(0));
    const dot = { actor: `000000000000000${replica}`, counter: at };
    const written = write(this.held[replica] as Versions, seen, dot, {
      operation: { at, nonce: at, retried: false },
      ...{ time: at, expiresAt: 0 },
      value: value === undefined ? undefined : new Uint8Array(Buffer.from(value)),
    });
    this.held[replica] = written.versions;
    return { context: sealed(written.context), acks: 1 };
  }

  #get({ r, timeoutMs }: GetOptions = {}): Found {
    this.reads.push(r);
    this.timeouts.push(timeoutMs);
    const need = r ?? 1;
    if (need > 3 - this.away) throw new ClusterError("QUORUM_UNAVAILABLE", "too few");
    const versions = this.held.slice(0, need).reduce(merge);
    const values = versions.siblings.map(({ value }) => value);
    return { values, value: values[0], written: [], context: sealed(contextOf(versions)) };
  }
}

function sealed(context: Parameters<typeof sealContext>[0]["context"]): Context {
  const key = keyOf("", new Uint8Array([1]));
  return new Context(sealContext({ context, fastest: 1 }, { clusterId, key }, macKeys));
}

function session(replicas: Replicas, token?: string): ClusterSession {
  return new ClusterSession({ bucket: replicas.bucket, n: () => 3, timeoutMs: 5000 }, token);
}

describe("a session", () => {
  test("reads what it wrote, asking more replicas only where one knows less", async () => {
    const replicas = new Replicas();
    const own = session(replicas);
    await own.put("key", "mine");
    expect(text((await own.get("key", { r: 1 })).value)).toBe("mine");
    expect(replicas.reads).toEqual([1, 2, 3]);
    replicas.held[0] = replicas.held[2] as Versions;
    await own.get("key", { r: 1 });
    expect(replicas.reads).toEqual([1, 2, 3, 1]);
    expect((await session(replicas).get("other", { r: 1 })).values.length).toBe(1);
  });

  test("is satisfied by the replicas that are there, if they know enough together", async () => {
    const replicas = new Replicas();
    const own = session(replicas);
    await own.put("key", "mine");
    replicas.held[1] = replicas.held[2] as Versions;
    replicas.away = 1;
    expect(text((await own.get("key", { r: 1 })).value)).toBe("mine");
    expect(replicas.reads).toEqual([1, 2]);
  });

  test("fails rather than to go back", async () => {
    const replicas = new Replicas();
    const own = session(replicas);
    await own.put("key", "mine");
    replicas.away = 1;
    await expect(own.get("key", { r: 1 })).rejects.toMatchObject({
      code: "SESSION_NOT_SATISFIED",
      applied: "no",
      cause: { code: "QUORUM_UNAVAILABLE" },
    });
    replicas.away = 0;
    replicas.held[2] = noVersions;
    await expect(own.get("key")).rejects.toMatchObject({ code: "SESSION_NOT_SATISFIED" });
  });

  test("does not go back behind what it has read, nor behind a delete", async () => {
    const replicas = new Replicas();
    replicas.held[0] = noVersions;
    replicas.put(0, "first");
    const own = session(replicas);
    await own.get("key", { r: 1 });
    const [before] = replicas.held;
    await own.delete("key");
    expect((await own.get("key", { r: 1 })).values).toEqual([]);
    replicas.held[0] = noVersions;
    replicas.held[2] = before as Versions;
    await expect(own.get("key", { r: 1 })).rejects.toMatchObject({
      code: "SESSION_NOT_SATISFIED",
    });
  });

  test("merges nothing older than what it has seen", async () => {
    const replicas = new Replicas();
    const own = session(replicas);
    await own.put("key", "a");
    const merged: string[][] = [];
    await own.update("key", (values) => {
      merged.push(values.map(text));
      return "b";
    });
    expect(merged).toEqual([["a"]]);
    expect(text((await own.get("key")).value)).toBe("b");
  });

  test("goes on elsewhere with its token, which is text", async () => {
    const replicas = new Replicas();
    const own = session(replicas);
    await own.put("key", "mine");
    await own.put(new Uint8Array([0, 255]), "bytes");
    expect(own.token).toMatch(/^[A-Za-z0-9_-]+$/);
    const other = session(replicas, own.token);
    expect(other.token).toBe(own.token);
    expect(text((await other.get("key", { r: 1 })).values[0])).toBe("mine");
    expect(replicas.reads.length).toBe(3);
  });

  test.each([
    "",
    "x",
    "bnVsbA",
    "W1tdXQ",
    "WzFd",
    Buffer.from('[["00",[7]]]').toString("base64url"),
  ])("is not continued by %j", (token) => {
    expect(() => session(new Replicas(), token)).toThrow(
      expect.objectContaining({ code: "CONTEXT_INVALID" }),
    );
  });

  test("has one deadline for a read and all its repetitions", async () => {
    const replicas = new Replicas();
    const own = session(replicas);
    await own.put("key", "mine");
    replicas.timeouts.length = 0;
    await own.get("key", { r: 1, timeoutMs: 400 });
    const [, ...repeated] = replicas.timeouts;
    expect(repeated.length).toBe(2);
    for (const timeoutMs of repeated) expect(timeoutMs).toBeLessThan(400);
  });
});
