/** kvctl token: what it prints once, what the file holds, and what a node makes of it. */
import { createHash } from "node:crypto";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseTokens } from "../../src/runtime/tokens.ts";
import { kvctl, scratch } from "./run-kvctl.ts";
import { serve } from "./serve-process.ts";

interface Stored {
  readonly tokens: readonly { readonly name: string; readonly sha256: string }[];
}

function inFile(path: string): Stored {
  return JSON.parse(readFileSync(path, "utf8")) as Stored;
}

const run = (path: string, ...args: string[]) => kvctl(["token", ...args, "--token-file", path]);

test("a token is shown once; the file holds its hash, for its owner alone", async () => {
  const path = join(scratch(), "tokens.json");
  const made = await run(path, "create", "--role", "write", "--name", "ada", "--prefix", ":cart/");
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[\w-]{43}\n$/) });
  const token = made.stdout.trim();
  const text = readFileSync(path, "utf8");
  expect(text).not.toContain(token);
  expect(made.stderr).not.toContain(token);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const sha256 = createHash("sha256").update(token).digest("hex");
  expect(inFile(path).tokens).toEqual([
    { name: "ada", sha256, role: "write", prefixes: [":cart/"] },
  ]);
  expect(parseTokens(text, path).find(token)).toMatchObject({ name: "ada", role: "write" });
});

test("more are added, listed, and taken back one by one", async () => {
  const path = join(scratch(), "tokens.json");
  await run(path, "create", "--role", "read", "--name", "a", "--expires", "90d");
  await run(path, "create", "--role", "admin");
  const listed = await run(path, "list", "--json");
  const { tokens } = JSON.parse(listed.stdout) as { tokens: { name: string; role: string }[] };
  expect(tokens.map(({ role }) => role)).toEqual(["read", "admin"]);
  expect((await run(path, "list")).stdout).toMatch(/^name +role +prefixes +expires/);
  expect(await run(path, "revoke", "a")).toMatchObject({ code: 0 });
  expect(inFile(path).tokens.map(({ name }) => name)).toEqual([tokens[1]?.name]);
  expect(await run(path, "revoke", "a")).toMatchObject({ code: 3 });
});

describe("what is refused changes nothing", () => {
  test.each([
    [["create"], 2, /which role/],
    [["create", "--role", "root"], 2, /which role/],
    [["create", "--role", "read", "--name", "a b"], 2, /name must be/],
    [["create", "--role", "read", "--name", "taken"], 2, /twice/],
    [["create", "--role", "read", "--prefix", "cart"], 2, /BUCKET:PREFIX/],
    [["create", "--role", "admin", "--prefix", ":a"], 2, /admin is not held/],
    [["create", "--role", "read", "--expires", "soon"], 2, /soon/],
    [["revoke"], 2, /which token/],
    [["shred"], 2, /does not know "shred"/],
  ])("%j", async (args, code, message) => {
    const path = join(scratch(), "tokens.json");
    await run(path, "create", "--role", "read", "--name", "taken");
    const before = readFileSync(path, "utf8");
    const ran = await run(path, ...args);
    expect(ran).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(message) });
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  test("a file that others may read, or that is damaged", async () => {
    const path = join(scratch(), "tokens.json");
    writeFileSync(path, '{"tokens": []}');
    chmodSync(path, 0o644);
    const open = await run(path, "create", "--role", "read");
    expect(open).toMatchObject({ code: 2, stderr: expect.stringContaining("chmod 600") });
    writeFileSync(path, '{"tokens": [], "tokens": []}');
    chmodSync(path, 0o600);
    const twice = await run(path, "create", "--role", "read");
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining("twice") });
  });
});

test("a secret for nodes is new, long and its owner's alone", async () => {
  const path = join(scratch(), "peer.secret");
  expect(await kvctl(["token", "secret", path])).toMatchObject({ code: 0 });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, "utf8")).toMatch(/^[\w-]{43}\n$/);
  expect(await kvctl(["token", "secret", path])).toMatchObject({ code: 2 });
});

test("a node takes them until they are taken back, and its log says nothing of them", async () => {
  const directory = scratch();
  const [tokens, held, value] = [join(directory, "t.json"), join(directory, "ada"), "v4lu3-c4n4ry"];
  const secret = join(directory, "peer.secret");
  await kvctl(["token", "secret", secret]);
  await run(tokens, "create", "--role", "write", "--name", "ada", "--out", held);
  await run(tokens, "create", "--role", "admin", "--name", "root", "--out", `${held}.root`);
  const node = await serve([
    ...["--data", join(directory, "n1"), "--listen", "127.0.0.1:0", "--n", "1"],
    ...["--token-file", tokens, "--peer-secret-file", secret, "--log-level", "debug"],
  ]);
  try {
    const as = (token: string, ...args: string[]) =>
      kvctl(["-e", node.address, "--token-file", token, ...args]);
    expect(await as(held, "put", "k3y-c4n4ry", value)).toMatchObject({ code: 0 });
    expect(await as(held, "get", "k3y-c4n4ry")).toMatchObject({ code: 0, stdout: value });
    expect(await as(held, "repair")).toMatchObject({ code: 8 });
    expect(await as(`${held}.root`, "repair")).toMatchObject({ code: 0 });
    const stranger = await kvctl(["-e", node.address, "get", "k3y-c4n4ry", "--timeout", "2s"]);
    expect(stranger).toMatchObject({ code: 8, stdout: "" });
    await run(tokens, "revoke", "ada");
    node.child.kill("SIGHUP");
    await expect.poll(async () => (await as(held, "get", "k3y-c4n4ry")).code).toBe(8);
    const log = node.stderr();
    const audited = log.split("\n").filter((line) => line.includes('"audit":true'));
    const lines = audited.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(
      expect.objectContaining({
        event: "command.refused",
        by: expect.stringContaining("token ada"),
        act: "repair",
      }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({
        event: "command.done",
        by: expect.stringContaining("token root"),
        outcome: "ok",
      }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ event: "auth.refused", code: "AUTH_REQUIRED" }),
    );
    for (const name of readdirSync(join(directory, "n1"))) {
      expect([name, statSync(join(directory, "n1", name)).mode & 0o077]).toEqual([name, 0]);
    }
    const secrets = [held, `${held}.root`, secret].map((path) => readFileSync(path, "utf8").trim());
    for (const canary of [...secrets, value, "k3y-c4n4ry"]) expect(log).not.toContain(canary);
  } finally {
    await node.end("SIGKILL");
  }
});
