/**
 * What a node is told from outside before anybody is known to it: settings, tokens, secrets, the
 * headers of another node, refusals, certificates.
 */

import { Readable } from "node:stream";
import { subjectOf } from "../../bin/certificates/certificate.ts";
import { partsOf } from "../../bin/certificates/der.ts";
import { Trace } from "../../src/core/quorum/trace.ts";
import { isClusterError } from "../../src/errors.ts";
import { networkOf, parseAddress } from "../../src/runtime/address.ts";
import { checkConfig, gatherConfig } from "../../src/runtime/config.ts";
import { decodeHello, encodeHello, type Hello } from "../../src/runtime/handshake.ts";
import { parseSecrets } from "../../src/runtime/peer-proof.ts";
import { readRefusal } from "../../src/runtime/refusal.ts";
import { parseStrictJson } from "../../src/runtime/strict-json.ts";
import { parseScope, parseTokens } from "../../src/runtime/tokens.ts";
import { mutateSample } from "./bytes-mutator.ts";
import { takenUnless, textTrial } from "./context-decoders.ts";
import { mutateText, oneOf } from "./text-mutator.ts";
import type { Decoder, Draw } from "./trial.ts";
import { trialOf } from "./wire-decoders.ts";

export const nodeDecoders: readonly Decoder[] = [
  { name: "settings", perMillion: 2_000, prepare: drawSettings },
  { name: "token-files", perMillion: 15_000, prepare: drawTokens },
  { name: "secret-files", perMillion: 5_000, prepare: drawSecrets },
  { name: "hellos", perMillion: 15_000, prepare: drawHellos },
  { name: "refusals", perMillion: 5_000, prepare: drawRefusals },
  { name: "traces", perMillion: 10_000, prepare: drawTraces },
  { name: "addresses", perMillion: 20_000, prepare: drawAddresses },
  { name: "certificates", perMillion: 10_000, prepare: drawCertificates },
];

const words = ["127.0.0.1:7400", "true", "3", "0.5", "sync", "a:1,b:2"];
const settings = {
  ...{ data: "n1", listen: "127.0.0.1:7400", join: ["a:1", "b:2"], dc: "dc1", weight: 2.5 },
  ...{ n: 3, r: 2, w: 2, partitions: 64, durability: "sync", insecure: false, stage: true },
  ...{ tlsCert: "c", tlsKey: "k", memtableBytes: 65_536, tuning: { "cleanup.intervalMs": 5 } },
};

/** As a file; and each word as the environment has it. */
function drawSettings(): Draw {
  const text = JSON.stringify(settings);
  const fields = Object.keys(settings);
  return (random) => {
    const isFile = random() < 0.7;
    const name = `EVERWRITE_${oneOf(random, fields).replace(/[A-Z]/g, "_$&").toUpperCase()}`;
    const mutated = isFile ? mutateText(random, [text]) : mutateText(random, words);
    return textTrial(mutated, async () => {
      try {
        const environment = { [name]: mutated };
        const file = isFile ? parseStrictJson(mutated) : settings;
        await checkConfig(isFile ? file : gatherConfig({ file: settings, environment }));
        return true;
      } catch (error) {
        const isRefused = isClusterError(error, "CONFIG_INVALID") || error instanceof SyntaxError;
        if (isRefused || isClusterError(error, "INSECURE_BIND")) return false;
        throw error;
      }
    });
  };
}

function drawTokens(): Draw {
  const sha256 = "5e".repeat(32);
  const expires = "2040-01-01T00:00:00Z";
  const tokens = [
    { name: "ada", sha256, role: "read", prefixes: ["shop:cart/", "a%3Ab:%00"], expires },
    { name: "eve", certificate: "eve", role: "write" },
  ];
  const text = JSON.stringify({ tokens });
  return (random) => {
    const mutated = mutateText(random, [text]);
    const isScope = random() < 0.3;
    if (isScope) {
      const scope = mutateText(random, ["shop:cart/", "a%3Ab:%00%ff", "Körbe:ä"]);
      return textTrial(scope, () => parseScope(scope) !== undefined);
    }
    return textTrial(mutated, () =>
      takenUnless(["CONFIG_INVALID"], () => {
        const book = parseTokens(mutated, "tokens.json");
        if (book.find("") !== undefined) throw new Error("no token at all is a token");
        for (const { role } of book.all) {
          if (!["read", "write", "admin"].includes(role)) throw new Error(`role ${role}`);
        }
      }),
    );
  };
}

function drawSecrets(): Draw {
  const text = `${"s".repeat(43)}\n${"t".repeat(20)}\r\n`;
  return (random) => {
    const mutated = mutateText(random, [text]);
    return textTrial(
      mutated,
      () => parseSecrets(mutated)?.every(({ length }) => length === 32) ?? false,
    );
  };
}

function drawHellos(): Draw {
  const hello: Hello = {
    ...{ clusterId: "0123456789abcdef".repeat(2), node: 3, to: 1, started: 1_700_000_000_000 },
    ...{ epoch: 12, lane: "data", clock: 1_700_000_000_500 },
  };
  const headers = encodeHello(hello);
  const names = Object.keys(headers);
  return (random) => {
    const name = oneOf(random, names);
    const value = mutateText(random, [headers[name] ?? ""]);
    return textTrial(value, () => {
      const decoded = decodeHello({ ...headers, [name]: value });
      if (decoded === undefined) return false;
      const again = encodeHello(decoded)[name];
      const plain = /^\d+$/.test(value) ? String(Number(value)) : value;
      if (again !== plain) throw new Error(`taken for ${again}`);
      return true;
    });
  };
}

/** What answers where a node was expected may be anything. */
function drawRefusals(): Draw {
  const texts = [
    JSON.stringify({ code: "AUTH_REQUIRED", message: "show a token", clock: 1_700_000_000_000 }),
    "<html><body>404 Not Found</body></html>",
  ];
  return (random) => {
    const mutated = mutateText(random, texts);
    return textTrial(mutated, async () => {
      const response = Object.assign(Readable.from([Buffer.from(mutated)]), { statusCode: 404 });
      const read = await readRefusal(response as unknown as Parameters<typeof readRefusal>[0]);
      if (typeof read.message !== "string") throw new Error("no message");
      return read.code !== undefined;
    });
  };
}

function drawTraces(): Draw {
  const text = JSON.stringify([
    { atMs: 0.25, node: 1, what: "asked 2" },
    { atMs: 17, node: 2, what: "stored" },
  ]);
  return (random) => {
    const mutated = mutateText(random, [text]);
    return textTrial(mutated, () => {
      const trace = new Trace(0);
      trace.append(mutated, 5);
      const lines = JSON.parse(trace.text()) as unknown[];
      return lines.length > 0;
    });
  };
}

function drawAddresses(): Draw {
  const texts = ["127.0.0.1:7400", "[::1]:7400", "[fe80::1%eth0]:1", "node1.example.com:65535"];
  return (random) => {
    const text = mutateText(random, texts);
    return textTrial(text, () => {
      networkOf(text);
      const address = parseAddress(text);
      if (address === undefined) return false;
      networkOf(address.host);
      return URL.canParse(`ws://${text}/`);
    });
  };
}

function drawCertificates(): Draw {
  const bytes = new Uint8Array(Buffer.from(certificate.join(""), "base64"));
  const places = Array.from({ length: 40 }, (_, i) => 1 + Math.floor((i * bytes.length) / 41));
  const fields = places.map((at) => ({ at, end: at + 1, form: "varint" as const }));
  return (random) => {
    const mutated = mutateSample(random, [{ bytes, fields }]);
    return trialOf(mutated, () => {
      const parts = partsOf(mutated);
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      if (length > mutated.length) throw new Error("the parts are more than the whole");
      return subjectOf(mutated) !== undefined;
    });
  };
}

/** As `kvctl cert` made it once for a client called ada, whose key nobody has. */
const certificate = [
  "MIIB1DCCAXugAwIBAgIQY6V1xGDd4yvNjcLA0ab8NDAKBggqhkjOPQQDAjAgMR4wHAYDVQQDDBVFdmVyd3JpdGUgQ0",
  "EgMDRkMDJlYTQwHhcNMjYxMTIxMTkzNDAyWhcNMzYxMTE4MTkzOTAyWjAdMQ0wCwYDVQQKDARyZWFkMQwwCgYDVQQD",
  "DANhZGEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ9s35xNaJkGxJNwtrmK8S45E5uRIImjMqO7QwV/DwFu9dkVa",
  "LIgjvm/Z323hslD/09Wt5IslRvGcQqO8PcXT8wo4GZMIGWMAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMBMG",
  "A1UdJQQMMAoGCCsGAQUFBwMCMCEGA1UdEQQaMBiGFmV2ZXJ3cml0ZTovL2NsaWVudC9hZGEwHQYDVR0OBBYEFD1HKw",
  "Z1FqNOYyIN6K2xbDVJrnKKMB8GA1UdIwQYMBaAFIzEaLQ/EqU9eThVcoWUCF9PWdJKMAoGCCqGSM49BAMCA0cAMEQC",
  "IB0cQgHaPtycbg3p9xmw22uH7i3UdX4irFy2M9gWLt6PAiBHZ4pI/xsJhDnWyd52a/2544sDxoaEm1niGDxDOtdphg",
  "==",
];
