/**
 * What others notice of an attack: `npm run adversary -- [--seconds 4] [--rounds 5]`. A closed node
 * of the built package (TLS, tokens) runs in a process of its own, so do the attackers; this one is
 * the honest client. It puts and gets at a steady rate, a while in peace and a while under each
 * attack, in turns. Exits 1 where the 99th percentile under an attack is more than twice that in
 * peace and more than 20 ms above it.
 */
import { fork, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createAuthority, issue, validFor } from "../dist/bin/certificates/authority.js";
import { connect } from "../dist/src/index.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    attacks: { type: "string" },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const perSecond = 200;
const ratioMax = 2;
const slackMs = 20;
const known = [
  ...["slow-loris", "slow-loris-spread", "half-open", "tls-dribble", "guesses"],
  ...["oversized", "compressed", "fragments"],
];
const attacks = values.attacks?.split(",") ?? known;

const base = mkdtempSync(join(tmpdir(), "everwrite-adversary-"));
const token = randomBytes(32).toString("base64url");
const children = [];
const contexts = new Map();
try {
  process.exitCode = await run();
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
}

async function run() {
  const authority = createAuthority(validFor(1));
  const node = await startNode(authority);
  const ca = authority.certificate;
  const client = await connect(node, { token, tls: { ca } });
  await load(client, 2);
  const quiet = [];
  const under = new Map(attacks.map((attack) => [attack, []]));
  for (let round = 0; round < rounds; round++) {
    for (const attack of attacks) {
      quiet.push(await load(client, seconds));
      const attacker = await startAttacker({
        ...{ attack, address: node, token },
        isElsewhere: true,
      });
      under.get(attack).push(await load(client, seconds));
      attacker.kill("SIGKILL");
    }
  }
  await client.close();
  return report(quiet, under);
}

function report(quiet, under) {
  const calm = median(quiet.map(({ p99 }) => p99));
  const rate = `${perSecond} requests a second, ${rounds} rounds of ${seconds} s`;
  console.log(`${rate}; in milliseconds, medians of the rounds`);
  console.log(line("", "p50", "p99", "ratio", "failed"));
  const row = (name, measured) => {
    const p99 = median(measured.map((one) => one.p99));
    const p50 = median(measured.map((one) => one.p50));
    const failed = measured.reduce((sum, one) => sum + one.failed, 0);
    console.log(line(name, p50.toFixed(1), p99.toFixed(1), (p99 / calm).toFixed(2), failed));
    return { p99, failed };
  };
  row("in peace", quiet);
  const missed = [...under].filter(([name, measured]) => {
    const { p99, failed } = row(name, measured);
    return failed > 0 || (p99 > ratioMax * calm && p99 - calm > slackMs);
  });
  if (missed.length > 0) console.log(`missed: ${missed.map(([name]) => name).join(", ")}`);
  return missed.length > 0 ? 1 : 0;
}

/** At a steady rate, whether or not earlier ones have been answered. */
async function load(client, seconds) {
  const total = seconds * perSecond;
  const took = [];
  const going = [];
  let failed = 0;
  const began = performance.now();
  for (let i = 0; i < total; i++) {
    const due = began + (i * 1000) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const key = `key-${i % 100}`;
    const call = i % 2 === 0 ? client.get(key) : client.put(key, `value ${i}`, context(i));
    going.push(
      call.then(
        (answer) => {
          took.push(performance.now() - due);
          contexts.set(key, answer.context);
        },
        () => {
          failed += 1;
        },
      ),
    );
  }
  await Promise.all(going);
  took.sort((a, b) => a - b);
  const at = (share) => took[Math.floor(share * (took.length - 1))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), failed };
}

function context(i) {
  const known = contexts.get(`key-${i % 100}`);
  return known === undefined ? {} : { context: known };
}

function startNode(authority) {
  const path = (name, text) => {
    writeFileSync(join(base, name), text, { mode: 0o600 });
    return join(base, name);
  };
  const pair = issue(authority, { kind: "node", name: "n", hosts: ["127.0.0.1"] }, validFor(1));
  const sha256 = createHash("sha256").update(token).digest("hex");
  const tokens = { tokens: [{ name: "bench", role: "write", sha256 }] };
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL("../dist/bin/kvctl.js", import.meta.url)),
      ...["serve", "--json", "--data", join(base, "n1"), "--listen", "127.0.0.1:0", "--n", "1"],
      ...["--durability", "os", "--log-level", "silent"],
      ...[
        "--tls-cert",
        path("node.crt", pair.certificate),
        "--tls-key",
        path("node.key", pair.key),
      ],
      ...["--tls-ca", path("ca.crt", authority.certificate)],
      ...["--token-file", path("tokens.json", JSON.stringify(tokens))],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  children.push(child);
  return new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => resolve(JSON.parse(text).address));
    child.once("exit", () => reject(new Error("the node did not start")));
  });
}

/** Resolves once it is in full swing. */
function startAttacker(task) {
  const child = fork(fileURLToPath(new URL("./support/attacker.mjs", import.meta.url)));
  children.push(child);
  child.send(task);
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve(child));
    child.once("exit", () => reject(new Error("the attacker gave up")));
  });
}

function line(name, ...numbers) {
  return name.padEnd(20) + numbers.map((number) => String(number).padStart(8)).join("");
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
