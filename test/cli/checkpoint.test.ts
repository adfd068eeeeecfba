/** kvctl -e checkpoint and kvctl restore, with real processes. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { kvctl, scratch } from "./run-kvctl.ts";
import { serve, startCluster, type TestCluster } from "./serve-process.ts";

const patience = { timeout: 30_000, interval: 200 };

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster(3);
});

afterAll(() => cluster.close());

interface Made {
  readonly nodes: readonly { readonly node: number; readonly path: string }[];
  readonly missing: readonly { readonly node: number; readonly code: string }[];
}

test("a node that lost its disk is restored from a checkpoint, and catches up", async () => {
  const { run, nodes, directories } = cluster;
  expect((await run("put", "kept", "1", "--w", "3")).code).toBe(0);
  const made = await run("checkpoint", "monday", "--json");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const { nodes: copies } = JSON.parse(made.stdout) as Made;
  expect(copies.map(({ node }) => node)).toEqual([1, 2, 3]);
  const [third] = nodes.slice(2);
  const path = copies.find(({ node }) => node === third?.id)?.path ?? "";
  expect(path).toBe(join(`${directories[2]}-checkpoints`, "monday", `node-${third?.id}`));
  expect((await run("checkpoint", "monday")).code).toBe(4);

  expect((await run("put", "kept", "2")).code).toBe(0);
  await third?.end("SIGKILL");
  const away = await run("checkpoint", "tuesday", "--json", "--timeout", "20s");
  expect(away.code).toBe(9);
  const { missing } = JSON.parse(away.stdout) as Made;
  expect(missing).toMatchObject([{ node: third?.id }]);

  const data = directories[2] ?? "";
  const refused = await kvctl(["restore", path, "--data", data, "--json"]);
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: "DATA_DIR_NOT_EMPTY" } });
  rmSync(data, { recursive: true });
  const restored = await kvctl(["restore", path, "--data", data]);
  expect(restored).toMatchObject({ code: 0, stderr: "" });
  expect(restored.stdout).toContain(`kvctl serve --data ${data} --listen ${third?.address}`);
  const back = await serve(["--data", data]);
  expect(back).toMatchObject({ id: third?.id, address: third?.address });
  try {
    const isWhole = async (): Promise<boolean> => {
      const { rebuilding, rootsAgree } = JSON.parse((await run("status", "--json")).stdout);
      return rebuilding === 0 && rootsAgree;
    };
    await vi.waitUntil(isWhole, patience);
    const got = await kvctl(["-e", back.address, "get", "kept", "--r", "3"]);
    expect(got).toMatchObject({ code: 0, stdout: "2" });
  } finally {
    await back.end("SIGTERM");
  }
});

test("a directory copied back by hand is told so by the others, and is filled again", async () => {
  const { run, nodes, directories } = cluster;
  const [data = "", second] = [directories[1], nodes[1]];
  const copy = join(scratch(), "copy");
  await second?.end("SIGTERM");
  cpSync(data, copy, { recursive: true });
  const again = await serve(["--data", data]);
  // It takes a majority to write, and only then has it done anything that others know of.
  await vi.waitUntil(async () => (await run("put", "since", "1", "--w", "2")).code === 0, patience);
  await again.end("SIGKILL");
  rmSync(data, { recursive: true });
  cpSync(copy, data, { recursive: true });
  const old = await serve(["--data", data, "--log-level", "warn"]);
  try {
    await vi.waitUntil(() => old.stderr().includes("node.forgotten"), patience);
    await vi.waitUntil(async () => {
      const got = await kvctl(["-e", old.address, "get", "since", "--r", "2"]);
      return got.code === 0 && got.stdout === "1";
    }, patience);
  } finally {
    await old.end("SIGKILL");
  }
});

test("what cannot be done is refused with its code", async () => {
  const { run } = cluster;
  const elsewhere = join(scratch(), "new");
  const refused: readonly [string, number, () => ReturnType<typeof run>][] = [
    ["INVALID_ARGUMENT", 2, () => run("checkpoint", "../up", "--json")],
    ["NODE_UNKNOWN", 2, () => run("checkpoint", "a", "--node", "77", "--json")],
    ["NODE_UNKNOWN", 2, () => run("checkpoint", "a", "--node", "one", "--json")],
    ["USAGE", 2, () => kvctl(["--db", elsewhere, "checkpoint", "x", "--node", "1", "--json"])],
    ["USAGE", 2, () => kvctl(["restore", "x", "--json"])],
    ["CHECKPOINT_INVALID", 1, () => kvctl(["restore", "x", "--data", elsewhere, "--json"])],
    ["USAGE", 2, () => restoreWith("--whole", "a/b")],
    ["USAGE", 2, () => restoreWith("--addresses", "1=localhost:1")],
    ["USAGE", 2, () => restoreWith("--whole", "a", "--addresses", "localhost:1")],
  ];
  const restoreWith = (...more: string[]): ReturnType<typeof run> =>
    kvctl(["restore", "x", "--data", elsewhere, ...more, "--json"]);
  for (const [code, exit, attempt] of refused) {
    const ran = await attempt();
    expect(ran, ran.stderr).toMatchObject({ code: exit, stdout: "" });
    expect(JSON.parse(ran.stderr)).toMatchObject({ error: { code } });
  }
});
