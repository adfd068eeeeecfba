/** A first cluster with TLS, as somebody makes it who has only kvctl: real processes. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kvctl, type Ran } from "./run-kvctl.ts";
import { type ServeProcess, serve } from "./serve-process.ts";

const base = mkdtempSync(join(tmpdir(), "everwrite-closed-cli-"));
const certs = join(base, "certs");
const nodes: ServeProcess[] = [];

const file = (name: string): string => join(certs, name);
const asClient = (name: string): readonly string[] => [
  ...["--tls-ca", file("ca.crt")],
  ...["--tls-cert", file(`client.${name}.crt`), "--tls-key", file(`client.${name}.key`)],
];

async function cert(...args: string[]): Promise<void> {
  const ran = await kvctl(["cert", ...args, "--dir", certs]);
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("kvctl")]);
}

function run(...args: readonly string[]): Promise<Ran> {
  return kvctl(["-e", nodes[0]?.address ?? "", ...args]);
}

/** The code of an error in JSON, with the exit code. */
async function refused(...args: readonly string[]): Promise<readonly [number | null, string]> {
  const ran = await run("--json", ...args);
  expect(ran.stdout).toBe("");
  return [ran.code, JSON.parse(ran.stderr).error.code];
}

beforeAll(async () => {
  await cert("create-ca");
  await cert("create-node", "localhost,127.0.0.1");
  await cert("create-client", "ada", "--role", "admin");
  await cert("create-client", "eve");
  const tls = ["--tls-cert", file("node.crt"), "--tls-key", file("node.key")];
  for (const name of ["n1", "n2", "n3"]) {
    const [first] = nodes;
    nodes.push(
      await serve([
        ...["--data", join(base, name), "--listen", "127.0.0.1:0", "--log-level", "error"],
        ...["--durability", "os", ...tls, "--tls-ca", file("ca.crt")],
        ...(first === undefined ? [] : ["--join", first.address]),
      ]),
    );
  }
  const until = Date.now() + 60_000;
  for (;;) {
    const ran = await run(...asClient("ada"), "status", "--json");
    if (ran.code === 0 && JSON.parse(ran.stdout).nodes.length === 3) return;
    if (Date.now() > until) throw new Error(`${ran.stdout}${ran.stderr}`);
  }
});

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.end("SIGKILL")));
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
});

describe("a cluster closed by certificates of kvctl cert", () => {
  test("serves who shows one, through flags or the environment", async () => {
    expect(await run(...asClient("ada"), "put", "greeting", "hello")).toMatchObject({ code: 0 });
    const env = {
      KVCTL_ENDPOINTS: nodes[2]?.address ?? "",
      KVCTL_TLS_CA: file("ca.crt"),
      KVCTL_TLS_CERT: file("client.eve.crt"),
      KVCTL_TLS_KEY: file("client.eve.key"),
    };
    expect(await kvctl(["get", "greeting"], { env })).toMatchObject({ code: 0, stdout: "hello" });
    const lines = Array.from({ length: 200 }, (_, i) => `{"key":"k${i}","value":"${i}"}`).join(
      "\n",
    );
    const args = ["-e", nodes[1]?.address ?? "", ...asClient("ada"), "import", "-"];
    expect(await kvctl(args, { input: lines })).toMatchObject({ code: 0 });
    expect((await run(...asClient("eve"), "scan", "--count")).stdout).toBe("201\n");
  });

  test("tells everybody else why not, with an exit code for programs", async () => {
    expect(await refused("get", "greeting")).toEqual([5, "NO_ENDPOINT"]);
    const ca = ["--tls-ca", file("ca.crt")];
    expect(await refused(...ca, "get", "greeting")).toEqual([8, "AUTH_REQUIRED"]);
    expect(await refused("--tls", "get", "greeting")).toEqual([8, "TLS_FAILED"]);
    expect(await refused(...asClient("eve"), "put", "greeting", "x")).toEqual([8, "FORBIDDEN"]);
    const node = ["--tls-cert", file("node.crt"), "--tls-key", file("node.key")];
    expect(await refused(...ca, ...node, "get", "greeting")).toEqual([8, "AUTH_FAILED"]);
    const elsewhere = join(base, "other");
    await kvctl(["cert", "create-ca", "--dir", elsewhere]);
    await kvctl(["cert", "create-client", "ada", "--role", "admin", "--dir", elsewhere]);
    const foreign = (name: string): string => join(elsewhere, name);
    expect(await refused("--tls-ca", foreign("ca.crt"), "get", "greeting")).toEqual([
      ...[8, "TLS_FAILED"],
    ]);
    const stolen = [
      "--tls-cert",
      foreign("client.ada.crt"),
      "--tls-key",
      foreign("client.ada.key"),
    ];
    expect(await refused(...ca, ...stolen, "get", "greeting")).toEqual([8, "AUTH_FAILED"]);
    expect((await run(...asClient("ada"), "get", "greeting")).stdout).toBe("hello");
  });

  test("and kvctl takes no secret that others could read, and no half of a pair", async () => {
    const ada = asClient("ada");
    chmodSync(file("client.ada.key"), 0o644);
    expect(await refused(...ada, "get", "greeting")).toEqual([2, "INSECURE_PERMISSIONS"]);
    chmodSync(file("client.ada.key"), 0o600);
    expect(await refused(...ada.slice(0, 4), "get", "greeting")).toEqual([2, "USAGE"]);
    const token = join(base, "token");
    writeFileSync(token, "secret\n", { mode: 0o644 });
    expect(await refused(...ada, "--token-file", token, "get", "a")).toEqual([
      ...[2, "INSECURE_PERMISSIONS"],
    ]);
    for (const wrong of ["", "two words", "one\ntwo", '{"tokens":[]}']) {
      writeFileSync(token, wrong, { mode: 0o600 });
      chmodSync(token, 0o600);
      expect(await refused(...ada, "--token-file", token, "get", "a")).toEqual([2, "FILE"]);
    }
    expect(await refused("--tls-ca", join(base, "nothing"), "get", "a")).toEqual([2, "FILE"]);
    const swapped = ["--tls-ca", file("client.ada.key")];
    expect(await refused(...swapped, "get", "a")).toEqual([2, "INVALID_ARGUMENT"]);
  });

  test("writes nothing secret to its log", () => {
    const key = readFileSync(file("node.key"), "utf8").split("\n")[1] ?? "";
    for (const node of nodes) {
      expect(node.stderr()).not.toContain("PRIVATE");
      expect(node.stderr()).not.toContain(key);
      expect(node.stderr()).not.toContain("hello");
    }
  });
});
