/** Checkpoints of real nodes at work, and what becomes of them: a node, a cluster, or nothing. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openEngine } from "../../native-free-engine/index.ts";
import type { Client } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import { restoreNode } from "../../src/runtime/restore.ts";
import { type RunningNode, startNode } from "../../src/runtime/server.ts";

let base = "";
const nodes = new Map<string, RunningNode>();

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "everwrite-checkpoint-"));
});

afterEach(async () => {
  await Promise.all([...nodes.values()].map((node) => node.close().catch(() => undefined)));
  nodes.clear();
  rmSync(base, { recursive: true, force: true });
});

async function start(name: string, more: object = {}): Promise<RunningNode> {
  const node = await startNode({
    ...{ data: join(base, name), listen: "127.0.0.1:0", durability: "os" },
    ...{ memtableBytes: 1 << 20, cacheBytes: 1 << 20, backups: join(base, "backups", name) },
    ...(name === "n1" ? { partitions: 16 } : {}),
    ...more,
  });
  nodes.set(name, node);
  return node;
}

async function stop(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await nodes.get(name)?.close();
    nodes.delete(name);
  }
}

async function startThree(): Promise<readonly RunningNode[]> {
  const first = await start("n1");
  const others = [];
  for (const name of ["n2", "n3"]) others.push(await start(name, { join: [first.address] }));
  await settled(first, 3);
  return [first, ...others];
}

interface Status {
  readonly nodes: readonly { readonly live: boolean }[];
  readonly transfers: number;
  readonly rebuilding: number;
  readonly rootsAgree: boolean;
}

async function settled(node: RunningNode, live: number): Promise<void> {
  await withClient(node, async (client) => {
    const isSettled = async (): Promise<boolean> => {
      const status = (await client.admin("status")) as Status;
      const { transfers, rebuilding, rootsAgree } = status;
      if (status.nodes.filter((one) => one.live).length !== live) return false;
      return transfers + rebuilding === 0 && rootsAgree;
    };
    await vi.waitUntil(isSettled, { timeout: 30_000, interval: 50 });
  });
}

async function withClient<T>(node: RunningNode, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect(node.address);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

interface Made {
  readonly nodes: readonly { node: number; path: string; bytes: number; keys: number }[];
  readonly missing: readonly { node: number; code: string }[];
}

async function checkpoint(node: RunningNode, name: string, more: object = {}): Promise<Made> {
  return withClient(
    node,
    async (client) => (await client.admin("checkpoint", { name, ...more })) as Made,
  );
}

/** What all three say; a node answers once it has met its peers, a moment after its start. */
async function shownOf(client: Client, key: string): Promise<string | undefined> {
  const found = await vi.waitUntil(() => client.get(key, { r: 3 }).catch(() => undefined), {
    timeout: 10_000,
    interval: 50,
  });
  return found.value === undefined ? undefined : Buffer.from(found.value).toString();
}

async function over(client: Client, key: string, value: string): Promise<void> {
  const { context } = await client.get(key);
  await client.put(key, value, { context, w: 3 });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function pathIn({ nodes: made }: Made, node: number): string {
  return made.find((one) => one.node === node)?.path ?? "";
}

describe("a checkpoint", () => {
  test("is made by every node while it serves, and holds all that was acknowledged", async () => {
    const [first] = await startThree();
    if (first === undefined) throw new Error("no node");
    const made = await withClient(first, async (client) => {
      let acknowledged = 0;
      const written = (async () => {
        for (let i = 0; i < 300; i++) {
          await client.put(`key ${i}`, "value", { w: 3 });
          acknowledged = i;
        }
      })();
      await vi.waitUntil(() => acknowledged > 50, { timeout: 30_000 });
      const before = acknowledged;
      const copies = await checkpoint(first, "monday");
      await written;
      return { before, copies };
    });
    expect(made.copies.missing).toEqual([]);
    expect(made.copies.nodes.map(({ node }) => node)).toEqual([1, 2, 3]);
    for (const { node, path, bytes, keys } of made.copies.nodes) {
      expect(path).toBe(join(base, "backups", `n${node}`, "monday", `node-${node}`));
      expect(bytes).toBeGreaterThan(1_000);
      expect(keys).toBeGreaterThanOrEqual(made.before);
      expect(statSync(path).mode & 0o077).toBe(0);
    }
    await stop("n1", "n2", "n3");
    const data = join(base, "copy");
    await restoreNode({ checkpoint: pathIn(made.copies, 2), data, whole: "alone" });
    const engine = await openEngine(data);
    const records = await engine
      .scan({ gte: Uint8Array.of(3), lt: Uint8Array.of(4) })
      .nextMany(999);
    await engine.close();
    expect(records.length).toBeGreaterThanOrEqual(made.before);
  });

  test("has a name that is new, and no path; of one node alone where it is named", async () => {
    const first = await start("n1");
    await withClient(first, async (client) => {
      for (const name of ["", "../x", "/tmp/x", "a/b", ".hidden", "a b", "x".repeat(65), 7]) {
        await expect(client.admin("checkpoint", { name })).rejects.toMatchObject({
          ...{ code: "INVALID_ARGUMENT", applied: "no" },
        });
      }
      await expect(client.admin("checkpoint", { name: "a", node: 9 })).rejects.toMatchObject({
        code: "NODE_UNKNOWN",
      });
    });
    const once = await checkpoint(first, "a", { node: 1 });
    expect(once.nodes).toHaveLength(1);
    const twice = await checkpoint(first, "a");
    expect(twice).toMatchObject({ nodes: [], missing: [{ node: 1, code: "CHECKPOINT_EXISTS" }] });
    const both = await Promise.all([checkpoint(first, "b"), checkpoint(first, "b")]);
    expect(both.flatMap((made) => made.nodes)).toHaveLength(1);
  });

  test("that a node cannot make is told, and leaves nothing that looks like one", async () => {
    writeFileSync(join(base, "backups"), "a file where a directory should be");
    const first = await start("n1");
    const made = await checkpoint(first, "a");
    expect(made).toMatchObject({ nodes: [], missing: [{ node: 1, code: "IO" }] });
    await withClient(first, (client) => client.put("still", "serves"));
  });
});

test("one node comes back from a checkpoint, and what it missed comes back to it", async () => {
  const [first, , third] = await startThree();
  if (first === undefined || third === undefined) throw new Error("no nodes");
  const made = await withClient(first, async (client) => {
    for (let i = 0; i < 20; i++) await client.put(`key ${i}`, "old", { w: 3 });
    return checkpoint(first, "monday");
  });
  await withClient(first, async (client) => {
    for (let i = 0; i < 10; i++) await client.delete(`key ${i}`, { w: 3 });
    for (let i = 10; i < 20; i++) await over(client, `key ${i}`, "new");
    await client.createBucket("later");
  });
  const { address } = third;
  await stop("n3");
  rmSync(join(base, "n3"), { recursive: true });
  const restored = await restoreNode({ checkpoint: pathIn(made, 3), data: join(base, "n3") });
  expect(restored).toMatchObject({ id: 3, address, clusterId: first.clusterId });
  await start("n3", { listen: address });
  await settled(first, 3);
  await withClient(first, async (client) => {
    for (let i = 0; i < 10; i++) expect(await shownOf(client, `key ${i}`)).toBeUndefined();
    for (let i = 10; i < 20; i++) expect(await shownOf(client, `key ${i}`)).toBe("new");
    // It votes again: the other two have told it what they know.
    await client.createBucket("last");
  });
});

test("a whole cluster comes back as it was, elsewhere; its past cannot mix in", async () => {
  const three = await startThree();
  const [first] = three;
  if (first === undefined) throw new Error("no node");
  const made = await withClient(first, async (client) => {
    for (let i = 0; i < 20; i++) await client.put(`key ${i}`, "then", { w: 3 });
    return checkpoint(first, "monday");
  });
  const token = await withClient(first, async (client) => {
    for (let i = 0; i < 20; i++) await over(client, `key ${i}`, "lost");
    return (await client.get("key 0")).context;
  });
  await stop("n1", "n2", "n3");
  const ports = [await freePort(), await freePort(), await freePort()];
  const addresses = new Map(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
  const ids = new Set<string>();
  for (const id of [1, 2, 3]) {
    const data = join(base, `r${id}`);
    const options = { checkpoint: pathIn(made, id), data, whole: "after", addresses };
    const { clusterId, address } = await restoreNode(options);
    expect(address).toBe(addresses.get(id));
    ids.add(clusterId);
  }
  expect(ids.size).toBe(1);
  expect(ids.has(first.clusterId)).toBe(false);
  const again = [];
  for (const id of [1, 2]) again.push(await start(`r${id}`, { listen: addresses.get(id) }));
  // The third of the past, told to meet them, is refused: it is of another cluster.
  const [one] = again;
  if (one === undefined) throw new Error("no node");
  await expect(start("n3", { join: [one.address] })).rejects.toMatchObject({
    code: "IDENTITY_MISMATCH",
  });
  await start("r3", { listen: addresses.get(3) });
  await settled(one, 3);
  await withClient(one, async (client) => {
    for (let i = 0; i < 20; i++) expect(await shownOf(client, `key ${i}`)).toBe("then");
    await expect(client.put("key 0", "x", { context: token })).rejects.toMatchObject({
      code: "CONTEXT_WRONG_CLUSTER",
    });
    await client.createBucket("new");
  });
});

describe("a restore is refused", () => {
  async function checkpointOfOne(): Promise<string> {
    const first = await start("n1");
    await withClient(first, (client) => client.put("key", "value"));
    const path = pathIn(await checkpoint(first, "a"), 1);
    await stop("n1");
    return path;
  }

  async function refusal(checkpointPath: string, data = join(base, "new")): Promise<unknown> {
    const error = await restoreNode({ checkpoint: checkpointPath, data }).catch((e: unknown) => e);
    expect(existsSync(`${data}.restoring`)).toBe(false);
    return error;
  }

  test("into a directory that holds something, and takes an empty one", async () => {
    const path = await checkpointOfOne();
    const full = join(base, "full");
    mkdirSync(full);
    writeFileSync(join(full, "mine"), "precious");
    expect(await refusal(path, full)).toMatchObject({ code: "DATA_DIR_NOT_EMPTY" });
    expect(readFileSync(join(full, "mine"), "utf8")).toBe("precious");
    const empty = join(base, "empty");
    mkdirSync(empty);
    await restoreNode({ checkpoint: path, data: empty });
    expect(statSync(empty).mode & 0o077).toBe(0);
  });

  test("from what is no checkpoint of a node, or a damaged one", async () => {
    expect(await refusal(join(base, "nowhere"))).toMatchObject({ code: "CHECKPOINT_INVALID" });
    const other = await openEngine(join(base, "embedded"));
    await other.put("key", "value");
    await other.close();
    expect(await refusal(join(base, "embedded"))).toMatchObject({ code: "CHECKPOINT_INVALID" });
    const path = await checkpointOfOne();
    const log = readdirSync(path).find((name) => name.endsWith(".log")) ?? "";
    const bytes = readFileSync(join(path, log));
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 0x40;
    writeFileSync(join(path, log), bytes);
    expect(await refusal(path)).toMatchObject({ code: "CHECKPOINT_INVALID" });
  });

  test("from one that leads elsewhere", async () => {
    const path = await checkpointOfOne();
    appendFileSync(join(base, "secret"), "secret");
    symlinkSync(join(base, "secret"), join(path, "000099.sst"));
    expect(await refusal(path)).toMatchObject({ code: "CHECKPOINT_INVALID" });
  });
});
