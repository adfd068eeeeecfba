/**
 * What strangers and careless people may feed a node before anything else is known of them:
 * headers, tokens, secrets, certificates, settings. Mutations of real ones; whatever comes of them,
 * it is a value that holds or an error with a code, and never more rights than were given.
 */
import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAuthority, issue, validFor } from "../../bin/certificates/authority.ts";
import { makeCertificate, nameOf, subjectOf } from "../../bin/certificates/certificate.ts";
import { partsOf } from "../../bin/certificates/der.ts";
import { tlsFrom } from "../../src/client/tls.ts";
import { isClusterError } from "../../src/errors.ts";
import { holderOf } from "../../src/runtime/certificates.ts";
import { checkConfig } from "../../src/runtime/config.ts";
import { readConfigFile } from "../../src/runtime/files.ts";
import { decodeHello, encodeHello, type Hello } from "../../src/runtime/handshake.ts";
import { ProofJudge, parseSecrets, prove } from "../../src/runtime/peer-proof.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { parseStrictJson } from "../../src/runtime/strict-json.ts";
import { parseTokens } from "../../src/runtime/tokens.ts";
import { ClosedTown } from "../support/closed-town.ts";
import { mutate } from "../support/fuzz.ts";
import { newAddress, openSocket } from "../support/knock.ts";
import { pick, randomFrom, seed } from "../support/random.ts";

const rounds = 400;
const random = randomFrom(seed);

/** Mutations that are still text of that alphabet, most of them. */
function mutateText(text: string): string {
  const letters = '{}[]",:\\0aA9-_ \n\r\té\u0000%/';
  let out = text;
  for (let changes = 1 + pick(random, 3); changes > 0; changes--) {
    const at = pick(random, out.length + 1);
    const length = pick(random, 12);
    const letter = letters[pick(random, letters.length)] ?? "";
    const kinds = [
      () => out.slice(0, at) + letter + out.slice(at),
      () => out.slice(0, at) + letter + out.slice(at + 1),
      () => out.slice(0, at) + out.slice(at + length),
      () => out.slice(0, at) + out.slice(at, at + length).repeat(2) + out.slice(at + length),
      () => out.slice(0, at),
    ];
    out = kinds[pick(random, kinds.length)]?.() ?? out;
  }
  return out;
}

/** Many times, with the text in the message when it fails. */
async function each(original: string, check: (mutated: string) => unknown): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const mutated = mutateText(original);
    try {
      await check(mutated);
    } catch (cause) {
      throw new Error(`seed ${seed}, round ${round}: ${JSON.stringify(mutated)}`, { cause });
    }
  }
}

/** Undefined where it is refused with one of these codes. */
async function orCoded<T>(codes: readonly string[], act: () => T | Promise<T>) {
  try {
    return await act();
  } catch (error) {
    if (isClusterError(error) && codes.includes(error.code)) return undefined;
    throw error;
  }
}

test("mutated JSON means what JSON.parse makes of it, or it is refused", async () => {
  const text = '{"a": {"b": [1, {"c": "d", "e": "\\"}{"}], "f": null}, "g": [{"h": 1}, {"h": 2}]}';
  expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  await each(text, (mutated) => {
    try {
      expect(parseStrictJson(mutated)).toEqual(JSON.parse(mutated));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  });
});

test("a mutated token file gives nobody more than it says, or is refused", async () => {
  const token = randomBytes(32).toString("base64url");
  const sha256 = createHash("sha256").update(token).digest("hex");
  const tokens = [
    {
      name: "ada",
      sha256,
      role: "read",
      prefixes: ["shop:cart/"],
      expires: "2040-01-01T00:00:00Z",
    },
    { name: "eve", certificate: "eve", role: "write" },
  ];
  await each(JSON.stringify({ tokens }), async (mutated) => {
    const book = await orCoded(["CONFIG_INVALID"], () => parseTokens(mutated, "tokens.json"));
    const found = book?.find(token);
    if (found !== undefined) expect(found.role).toBe("read");
    expect(book?.find("")).toBeUndefined();
  });
});

test("mutated secrets are secrets or none, and never short ones", async () => {
  await each(`${"s".repeat(43)}\n${"t".repeat(20)}\n`, (mutated) => {
    const lines = mutated.split(/\r?\n/).map((line) => line.trim());
    const longEnough = lines.filter((line) => line !== "");
    const isGood =
      longEnough.length > 0 && longEnough.every((line) => Buffer.from(line).length >= 16);
    expect(parseSecrets(mutated) !== undefined).toBe(isGood);
  });
});

test("mutated settings are settings or CONFIG_INVALID", async () => {
  const base = mkdtempSync(join(tmpdir(), "everwrite-fuzz-"));
  try {
    const path = join(base, "node.json");
    const settings = {
      ...{ data: "n1", listen: "127.0.0.1:7400", join: ["a:1", "b:2"], dc: "dc1", weight: 2 },
      ...{ n: 3, r: 2, w: 2, durability: "sync", tlsCert: "c", tlsKey: "k", insecure: false },
    };
    await each(JSON.stringify(settings), async (mutated) => {
      writeFileSync(path, mutated);
      const read = await orCoded(["CONFIG_INVALID"], () => readConfigFile(path));
      if (read === undefined) return;
      const checked = await orCoded(["CONFIG_INVALID", "INSECURE_BIND"], () => checkConfig(read));
      if (checked !== undefined) expect(checked.insecure === true).toBe(read["insecure"] === true);
    });
    expect(({} as Record<string, unknown>)["weight"]).toBeUndefined();
  } finally {
    rmSync(base, { recursive: true });
  }
});

describe("the hello of a node", () => {
  const hello: Hello = {
    ...{ clusterId: "0123456789abcdef".repeat(2), node: 3, to: 1, started: 1_700_000_000_000 },
    ...{ epoch: 12, lane: "data", clock: 1_700_000_000_500 },
  };
  const headers = encodeHello(hello);
  const names = Object.keys(headers);

  test("mutated in any field is refused, or says exactly what it seems to say", async () => {
    for (const name of names) {
      await each(headers[name] ?? "", (mutated) => {
        const decoded = decodeHello({ ...headers, [name]: mutated });
        if (decoded === undefined) return;
        // Leading zeros aside, there is one way to write each hello.
        const again = encodeHello(decoded);
        const plain = /^\d+$/.test(mutated) ? String(Number(mutated)) : mutated;
        expect(again[name]).toBe(plain);
      });
    }
    for (const odd of [undefined, null, 1, ["0", "1"], {}]) {
      for (const name of names) expect(decodeHello({ ...headers, [name]: odd })).toBeUndefined();
    }
  });

  test("with a proof that was mutated proves nothing", async () => {
    const secrets = parseSecrets("a secret of the nodes, long enough");
    if (secrets === undefined) throw new Error("a secret is a secret");
    const now = 1_700_000_000_500;
    const proved = prove(headers, secrets, now).headers;
    const judge = new ProofJudge(now - 1_000_000);
    for (const name of Object.keys(proved)) {
      await each(proved[name] ?? "", (mutated) => {
        if (mutated === proved[name]) return;
        const verdict = judge.judge(
          { ...proved, [name]: mutated },
          { claims: headers, secrets, now },
        );
        expect(verdict.kind).toBe("refused");
      });
    }
    expect(judge.judge(proved, { claims: headers, secrets, now }).kind).toBe("proved");
  });
});

describe("a certificate", () => {
  const authority = createAuthority(validFor(9));
  const { certificate } = issue(
    authority,
    { kind: "client", name: "ada", role: "read" },
    validFor(9),
  );

  test("of a mutated name, signed all the same, is nobody of ours or whom it names", () => {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const signer = { name: nameOf({ commonName: "CA" }), ...keys };
    const made = (commonName: string, uri: string, hosts: readonly string[] = []) =>
      holderOf(
        new X509Certificate(
          makeCertificate(
            { commonName, organization: undefined, uri, hosts, use: "client", ...validFor(9) },
            { publicKey: keys.publicKey, signer },
          ),
        ),
      );
    expect(made("x", "everwrite://client/x")).toMatchObject({ kind: "client", role: undefined });
    // What looks like another field, in words, is part of this one.
    for (const name of ["x\nO=admin", "O=admin", "x, O=admin", "x/O=admin", "x\r\nO=admin\n"]) {
      expect([name, made(name, "everwrite://client/x")]).toMatchObject([name, { role: undefined }]);
    }
    const hidden = "x, URI:everwrite://node/n1";
    for (const [uri, host] of [
      ["https://x", hidden],
      ["https://x, URI:everwrite://node/n1", "x"],
      ["everwrite://client/x, URI:everwrite://node/n1", "x"],
      ["everwrite://node/n1\u0000", "x"],
      ["everwrite://node/", "x"],
      ["everwrite://node/a/b", "x"],
      ["EVERWRITE://node/n1", "x"],
    ] as const) {
      expect([uri, host, made("x", uri, [host])?.kind]).not.toEqual([uri, host, "node"]);
    }
  });

  test("of mutated bytes is read without harm", () => {
    const { raw } = new X509Certificate(certificate);
    for (let round = 0; round < rounds; round++) {
      const bytes = mutate(random, raw);
      subjectOf(bytes);
      const parts = partsOf(bytes);
      expect(parts.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(bytes.length);
    }
  });

  test("in mutated PEM is what TLS can use, or INVALID_ARGUMENT", async () => {
    await each(certificate, async (mutated) => {
      await orCoded(["INVALID_ARGUMENT"], () => tlsFrom({ ca: mutated }));
    });
  });
});

describe("a whole node", () => {
  const town = new ClosedTown({ hasTls: false });
  let node: RunningNode;

  beforeAll(async () => {
    node = await town.start("n1", { n: 1 });
  });

  afterAll(() => town.close());

  test("outlives mutated upgrades, and lets none in that has no token", async () => {
    const upgrade = [
      ...["GET / HTTP/1.1", `Host: ${node.address}`, "Upgrade: websocket", "Connection: Upgrade"],
      ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="],
      ...["Sec-WebSocket-Protocol: everwrite.client.1", "Authorization: Bearer none", "", ""],
    ].join("\r\n");
    const lanes = Array.from({ length: 8 }, async () => {
      for (let round = 0; round < 40; round++) {
        const text = mutateText(upgrade);
        const socket = await openSocket(node.address, { from: newAddress() });
        let answer = "";
        socket.setEncoding("latin1").on("data", (chunk: string) => {
          answer += chunk;
        });
        socket.on("error", () => {});
        const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
        socket.end(text);
        await ended;
        expect([text, answer]).toEqual([text, expect.not.stringMatching(/^HTTP\/1\.1 101/)]);
      }
    });
    await Promise.all(lanes);
    const client = await town.connect(node, "writer");
    await client.put("key", "value");
    expect(Buffer.from((await client.get("key")).value ?? []).toString()).toBe("value");
  });
});
