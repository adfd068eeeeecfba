/**
 * Roles, verbs and prefixes over real sockets: every combination, told apart by a model that was
 * written down here from the documentation, and what was refused must have had no effect.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bucket, Client } from "../../src/client/api.ts";
import type { Role } from "../../src/runtime/access.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { ClosedWorld } from "./closed-world.ts";

const world = new ClosedWorld();
let node: RunningNode;
let root: Client;

const roles: readonly Role[] = ["read", "write", "admin"];
const holds: readonly (readonly string[] | undefined)[] = [
  undefined,
  [":user/"],
  ["carts:user/"],
  [":"],
  [":user/ada", "carts:"],
];
const names = new Map<string, { readonly role: Role; readonly prefixes?: readonly string[] }>();
for (const role of roles) {
  for (const [i, prefixes] of holds.entries()) {
    // An administrator is held to no prefix.
    if (role === "admin" && prefixes !== undefined) continue;
    names.set(`${role}-${i}`, prefixes === undefined ? { role } : { role, prefixes });
  }
}
const tokens = new Map<string, string>();

beforeAll(async () => {
  for (const [name, { role, prefixes }] of names) {
    tokens.set(name, world.token(name, role, prefixes === undefined ? {} : { prefixes }));
  }
  node = await world.start("node", { n: 1, tokenFile: world.writeTokens() });
  root = await world.connect(node, { token: tokens.get("admin-0") });
});

afterAll(() => world.close());

const buckets = ["", "carts", "other"] as const;
const keys = ["user/ada", "user/bob", "user", "admin/x"] as const;

/** As the documentation says: the bucket, and what the key begins with. */
function isHeldTo(prefixes: readonly string[] | undefined, bucket: string, key: string): boolean {
  if (prefixes === undefined) return true;
  return prefixes.some((scope) => {
    const [name, prefix = ""] = scope.split(":");
    return name === bucket && key.startsWith(prefix);
  });
}

function bucketOf(client: Client, name: string): Bucket {
  return name === "" ? client : client.bucket(name);
}

async function outcome(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt();
    return "done";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

async function all(entries: AsyncIterable<unknown>): Promise<void> {
  for await (const _entry of entries);
}

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);

describe.each([...names])("%s", (name, { role, prefixes }) => {
  test("does what it may, and what it may not changes nothing", async () => {
    const client = await world.connect(node, { token: tokens.get(name) });
    for (const bucket of buckets) {
      for (const key of keys) {
        const theirs = bucketOf(client, bucket);
        const ours = bucketOf(root, bucket);
        const { context } = await ours.get(key);
        await ours.put(key, "before", { context });
        const isHeld = isHeldTo(prefixes, bucket, key);
        const said = {
          get: await outcome(() => theirs.get(key)),
          scan: await outcome(() => all(theirs.scan({ prefix: key }))),
          // Blind writes: reading first would be refused where writing should be.
          put: await outcome(() => theirs.put(key, "after")),
        };
        const mayWrite = isHeld && role !== "read";
        expect({ bucket, key, ...said }).toEqual({
          ...{ bucket, key },
          get: isHeld ? "done" : "FORBIDDEN",
          scan: isHeld ? "done" : "FORBIDDEN",
          put: mayWrite ? "done" : "FORBIDDEN",
        });
        const after = await ours.get(key);
        expect(after.values.map(text).sort()).toEqual(mayWrite ? ["after", "before"] : ["before"]);
        const deleted = await outcome(() => theirs.delete(key, { context: after.context }));
        expect(deleted).toBe(mayWrite ? "done" : "FORBIDDEN");
        expect((await ours.get(key)).values.length > 0).toBe(!mayWrite);
      }
    }
  });

  test("asks what operators ask only as an administrator", async () => {
    const client = await world.connect(node, { token: tokens.get(name) });
    for (const command of ["status", "ring"]) {
      expect(await outcome(() => client.admin(command))).toBe("done");
    }
    const verdict = role === "admin" ? "done" : "FORBIDDEN";
    for (const command of ["hints", "repair", "rotate-context-key"]) {
      expect({ command, is: await outcome(() => client.admin(command)) }).toEqual({
        ...{ command, is: verdict },
      });
    }
    expect(await outcome(() => client.admin("join", {}))).toBe("FORBIDDEN");
    expect(await outcome(() => client.admin("no-such-thing"))).toBe(
      role === "admin" ? "INVALID_ARGUMENT" : "FORBIDDEN",
    );
  });
});

test("a scan of everything is refused where only a part is allowed", async () => {
  const held = await world.connect(node, { token: tokens.get("read-1") });
  expect(await outcome(() => all(held.scan()))).toBe("FORBIDDEN");
  expect(await outcome(() => all(held.scan({ prefix: "user/a" })))).toBe("done");
  expect(await outcome(() => all(held.scan({ prefix: "use" })))).toBe("FORBIDDEN");
});
