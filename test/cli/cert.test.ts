/**
 * kvctl cert: what it writes is read back with node:crypto, and then held in real TLS handshakes,
 * where the good ones pass and every bad one is refused for the right reason.
 */
import { createPublicKey, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  createAuthority,
  type Holder,
  issue,
  parseHosts,
  validFor,
} from "../../bin/certificates/authority.ts";
import type { Pair } from "../../bin/certificates/certificate.ts";
import { kvctl, scratch } from "./run-kvctl.ts";

const dayMs = 86_400_000;
const decade = validFor(3650);
const authority = createAuthority(decade);

function node(hosts: readonly string[], from: Pair = authority): Pair {
  return issue(from, { kind: "node", name: "n1", hosts }, validFor(30));
}

function client(from: Pair = authority): Pair {
  return issue(from, { kind: "client", name: "ada", role: "write" }, validFor(30));
}

interface Shaken {
  /** What the client says; undefined when it believes the server. */
  readonly refused: string | undefined;
  /** What the server says of the client's certificate. */
  readonly judged: { readonly isAuthorized: boolean; readonly why: string | undefined } | undefined;
  readonly protocol: string | null | undefined;
}

/** One handshake, in which both sides show what they have. */
async function shake(options: {
  readonly server: Pair;
  readonly client?: Pair;
  readonly ca?: string;
  readonly host?: string;
}): Promise<Shaken> {
  const { server: shown, client: own, ca = authority.certificate, host = "127.0.0.1" } = options;
  let judged: Shaken["judged"];
  const server = createServer({
    ...{ cert: shown.certificate, key: shown.key, ca: authority.certificate },
    ...{ requestCert: true, rejectUnauthorized: false, minVersion: "TLSv1.3" },
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const isJudged = new Promise<void>((resolve) => {
    server.on("tlsClientError", () => resolve());
    server.on("secureConnection", (socket: TLSSocket) => {
      const why = socket.authorizationError as unknown;
      judged = { isAuthorized: socket.authorized, why: why === null ? undefined : String(why) };
      socket.on("error", () => {});
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  const ended = await new Promise<Pick<Shaken, "refused" | "protocol">>((resolve) => {
    const socket = connect({
      ...{ port, host: "127.0.0.1", servername: host === "127.0.0.1" ? "" : host, ca },
      ...(own === undefined ? {} : { cert: own.certificate, key: own.key }),
      checkServerIdentity: (_name, certificate) => checkHost(host, certificate.raw),
    });
    socket.on("secureConnect", () => {
      resolve({ refused: undefined, protocol: socket.getProtocol() });
      socket.end();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      resolve({ refused: error.code ?? error.message, protocol: undefined });
    });
  });
  await isJudged;
  return { ...ended, judged };
}

function checkHost(host: string, raw: Uint8Array): Error | undefined {
  const certificate = new X509Certificate(raw);
  const found = /^[\d.]+$|:/.test(host) ? certificate.checkIP(host) : certificate.checkHost(host);
  return found === undefined ? new Error("WRONG_HOST") : undefined;
}

describe("a certificate", () => {
  test("of a node says who it is, under which names, and for what it is good", () => {
    const parsed = new X509Certificate(
      node(["localhost", "127.0.0.1", "2001:db8::1:2"]).certificate,
    );
    expect(parsed.subjectAltName?.split(", ")).toEqual([
      "URI:everwrite://node/n1",
      "DNS:localhost",
      "IP Address:127.0.0.1",
      "IP Address:2001:DB8:0:0:0:0:1:2",
    ]);
    expect([parsed.subject, parsed.ca, parsed.keyUsage]).toEqual([
      ...["CN=n1", false, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]],
    ]);
    expect(parsed.checkHost("localhost")).toBe("localhost");
    expect(parsed.checkHost("n1")).toBeUndefined();
    expect(parsed.checkIP("2001:db8::1:2")).toBe("2001:db8::1:2");
    expect(parsed.checkIP("127.0.0.2")).toBeUndefined();
  });

  test("of a client says its name and role, and is good for clients only", () => {
    const parsed = new X509Certificate(client().certificate);
    expect([parsed.subjectAltName, parsed.subject, parsed.ca, parsed.keyUsage]).toEqual([
      ...["URI:everwrite://client/ada", "O=write\nCN=ada", false, ["1.3.6.1.5.5.7.3.2"]],
    ]);
  });

  test("is signed by its authority, which signs itself, and by no other", () => {
    const [parsed, ca, other] = [node(["a"]), authority, createAuthority(decade)].map(
      ({ certificate }) => new X509Certificate(certificate),
    ) as [X509Certificate, X509Certificate, X509Certificate];
    expect([ca.ca, ca.verify(ca.publicKey), ca.checkIssued(ca)]).toEqual([true, true, true]);
    expect([parsed.verify(ca.publicKey), parsed.checkIssued(ca)]).toEqual([true, true]);
    expect([parsed.verify(other.publicKey), parsed.checkIssued(other)]).toEqual([false, false]);
    expect(other.subject).not.toBe(ca.subject);
  });

  test("has the key that is written beside it, and a number of its own", () => {
    const [one, two] = [node(["a"]), node(["a"])];
    const parsed = new X509Certificate(one.certificate);
    expect(parsed.publicKey.equals(createPublicKey(one.key))).toBe(true);
    expect(parsed.publicKey.equals(createPublicKey(two.key))).toBe(false);
    expect(parsed.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(parsed.serialNumber).not.toBe(new X509Certificate(two.certificate).serialNumber);
  });

  test("ends when it should, also beyond 2050, and never after its authority", () => {
    const end = (pair: Pair): number => Date.parse(new X509Certificate(pair.certificate).validTo);
    const now = Date.now();
    expect(Math.abs(end(node(["a"])) - (now + 30 * dayMs))).toBeLessThan(60_000);
    const old = createAuthority(validFor(36_500, now));
    expect(Math.abs(end(old) - (now + 36_500 * dayMs))).toBeLessThan(60_000);
    const long = issue(authority, { kind: "node", name: "n", hosts: ["a"] }, validFor(36_500));
    expect(end(long)).toBe(end(authority));
    const ended = createAuthority(validFor(1, now - 10 * dayMs));
    expect(() => node(["a"], ended)).toThrow(/the authority's certificate ended/);
  });

  test("cannot be made with what is no authority", () => {
    const holder: Holder = { kind: "client", name: "eve", role: "admin" };
    const mixed = { certificate: authority.certificate, key: createAuthority(decade).key };
    for (const wrong of [client(), node(["a"]), mixed, { certificate: "x", key: "y" }]) {
      expect(() => issue(wrong, holder, validFor(1))).toThrow(/not the two halves of an authority/);
    }
  });
});

describe("in a handshake", () => {
  test("both sides are believed, with TLS 1.3", async () => {
    const server = node(["127.0.0.1", "localhost"]);
    expect(await shake({ server, client: client() })).toEqual({
      ...{ refused: undefined, protocol: "TLSv1.3" },
      judged: { isAuthorized: true, why: undefined },
    });
    const peer = await shake({ server, client: node(["b"]), host: "localhost" });
    expect(peer.judged).toMatchObject({ isAuthorized: true });
  });

  test("a server is refused that is foreign, ended, too early, another's or a client", async () => {
    const now = Date.now();
    const holder: Holder = { kind: "node", name: "n", hosts: ["127.0.0.1"] };
    const past = { from: new Date(now - 20 * dayMs), until: new Date(now - 10 * dayMs) };
    const future = { from: new Date(now + 10 * dayMs), until: new Date(now + 20 * dayMs) };
    const wrong: readonly (readonly [Pair, RegExp])[] = [
      [node(["127.0.0.1"], createAuthority(decade)), /^UNABLE_TO_/],
      [issue(authority, holder, past), /^CERT_HAS_EXPIRED$/],
      [issue(authority, holder, future), /^CERT_NOT_YET_VALID$/],
      [node(["127.0.0.2", "localhost"]), /^WRONG_HOST$/],
      [client(), /^INVALID_PURPOSE$/],
    ];
    for (const [server, code] of wrong) {
      expect((await shake({ server })).refused).toMatch(code);
    }
  });

  test("a client is not believed that is foreign, ended or shows nothing", async () => {
    const server = node(["127.0.0.1"]);
    const now = Date.now();
    const past = { from: new Date(now - 20 * dayMs), until: new Date(now - 10 * dayMs) };
    const holder: Holder = { kind: "client", name: "ada", role: "admin" };
    const why = async (own?: Pair): Promise<string | undefined> =>
      (await shake(own === undefined ? { server } : { server, client: own })).judged?.why;
    expect(await why(client())).toBeUndefined();
    expect(await why(client(createAuthority(decade)))).toMatch(/^UNABLE_TO_/);
    expect(await why(issue(authority, holder, past))).toBe("CERT_HAS_EXPIRED");
    expect(await why()).toMatch(/^UNABLE_TO_/);
  });
});

test("hosts are names and addresses, and nothing else", () => {
  expect(parseHosts("a, b.example.com,10.0.0.1,[::1],*.example.com,a")).toEqual([
    ...["a", "b.example.com", "10.0.0.1", "::1", "*.example.com"],
  ]);
  const wrong = ["", "a,", "a:7400", "10.0.0", "256.1.1.1", "-a", "a-", "a..b", "a b", "é", "a\0b"];
  for (const host of [...wrong, `${"a".repeat(64)}`, "*.*.a", "a.*", "everwrite://node/x"]) {
    expect(() => parseHosts(host), host).toThrow(/a host is a name or an IP address/);
  }
});

describe("kvctl cert", () => {
  test("makes an authority, a node and a client, each saying what comes next", async () => {
    const directory = join(scratch(), "certs");
    const dir = ["--dir", directory];
    const made = await kvctl(["cert", "create-ca", ...dir]);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining("cert create-node") });
    const noded = await kvctl(["cert", "create-node", "localhost,127.0.0.1", ...dir]);
    expect(noded).toMatchObject({ code: 0, stderr: expect.stringContaining("kvctl serve") });
    const ran = await kvctl(["cert", "create-client", "ada", "--role", "admin", "--json", ...dir]);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      certificate: join(directory, "client.ada.crt"),
      names: "URI:everwrite://client/ada",
      subject: "O=admin, CN=ada",
    });
    const ca = new X509Certificate(readFileSync(join(directory, "ca.crt")));
    for (const stem of ["ca", "node", "client.ada"]) {
      const parsed = new X509Certificate(readFileSync(join(directory, `${stem}.crt`)));
      expect([stem, parsed.checkIssued(ca), parsed.verify(ca.publicKey)]).toEqual([
        stem,
        true,
        true,
      ]);
      expect(statSync(join(directory, `${stem}.key`)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test("writes over nothing, and refuses what it cannot do", async () => {
    const directory = join(scratch(), "certs");
    const dir = ["--dir", directory];
    const code = async (...args: string[]): Promise<unknown> => {
      const { code, stderr } = await kvctl(["cert", ...args, "--json"]);
      return [code, JSON.parse(stderr).error.code];
    };
    expect(await code("create-node", "localhost", ...dir)).toEqual([2, "FILE"]);
    mkdirSync(directory);
    writeFileSync(join(directory, "ca.key"), "mine");
    expect(await code("create-ca", ...dir)).toEqual([2, "FILE_EXISTS"]);
    expect(readFileSync(join(directory, "ca.key"), "utf8")).toBe("mine");
    expect(await code("create-ca", "--days", "0")).toEqual([2, "USAGE"]);
    expect(await code("create-client", "../ada", ...dir)).toEqual([2, "USAGE"]);
    expect(await code("create-client", "ada", "--role", "root", ...dir)).toEqual([2, "USAGE"]);
    expect(await code("create-nothing")).toEqual([2, "USAGE"]);
  });
});
