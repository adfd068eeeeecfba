/**
 * What clients notice while the cluster changes: `npm run changes -- [--records 100000]
 * [--rate 300] [--seconds 20]`. Three nodes of the built package hold records and serve a steady
 * load; a fourth joins, and then the first leaves. Prints the latencies of each stretch, requests
 * that failed, and the bytes that were streamed beside the least that had to move. Exits 1 when a
 * request failed, when the 99th percentile was more than twice that in peace (and more than 10 ms
 * above it), or when more than 5 % too much was moved.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { connect } from "../dist/src/index.js";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "100000" },
    rate: { type: "string", default: "300" },
    seconds: { type: "string", default: "20" },
  },
});
const [records, rate, seconds] = [values.records, values.rate, values.seconds].map(Number);
const valueBytes = 100;
const ratioMax = 2;
const slackMs = 10;
const wasteMax = 1.05;
const settleMsMax = 600_000;

const base = mkdtempSync(join(tmpdir(), "everwrite-changes-"));
const kvctl = fileURLToPath(new URL("../dist/bin/kvctl.js", import.meta.url));
const nodes = [];
/** What nodes say in their logs of partitions that they were sent. */
const streamed = { keys: 0, bytes: 0, partitions: 0 };
try {
  process.exitCode = await run();
} finally {
  for (const { child } of nodes) child.kill("SIGKILL");
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
}

async function run() {
  const first = await start();
  for (let i = 0; i < 2; i++) await start(first.address);
  const client = await connect(nodes.map(({ address }) => address));
  await until(client, ({ nodes: all, transfers }) => all.length === 3 && transfers === 0);
  await fill(client);
  await until(client, ({ hintsPending, rootsAgree }) => hintsPending === 0 && rootsAgree);
  const rows = [];
  await load(client, () => wait(3_000));
  rows.push({ name: "in peace", ...(await load(client, () => wait(seconds * 1_000))) });
  rows.push(
    await change(client, "a node joins", async () => {
      await start(first.address);
    }),
  );
  rows.push({ name: "in peace again", ...(await load(client, () => wait(seconds * 1_000))) });
  rows.push(
    await change(client, "a node leaves", () => client.admin("leave", { node: first.address })),
  );
  await client.close();
  return report(rows);
}

/** The stretch from the command to the end of the last move. */
async function change(client, name, act) {
  Object.assign(streamed, { keys: 0, bytes: 0, partitions: 0 });
  const measured = await load(client, async () => {
    await act();
    await wait(500);
    await until(client, ({ transfers }) => transfers === 0);
  });
  return { name, ...measured, streamed: { ...streamed } };
}

function report(rows) {
  const peace = rows.find(({ name }) => name === "in peace").p99;
  console.log(`${records} records of ${valueBytes} bytes, n = 3; times in milliseconds`);
  console.log(`${rate} requests a second, half of them puts`);
  console.log(line("", "p50", "p99", "p99.9", "max", "ratio", "failed", "seconds", "moved/least"));
  let missed = false;
  for (const { name, p50, p99, p999, max, failed, said, tookMs, streamed: moved } of rows) {
    // With four nodes each holds three quarters of all: so much must come to the newcomer, and
    // so much must be taken over from the one that goes.
    const waste = moved === undefined ? undefined : moved.keys / ((records * 3) / 4);
    const numbers = [p50, p99, p999].map((ms) => ms.toFixed(1));
    numbers.push(max.toFixed(0), (p99 / peace).toFixed(2));
    const took = (tookMs / 1000).toFixed(0);
    console.log(line(name, ...numbers, failed, took, waste === undefined ? "" : waste.toFixed(3)));
    if (said.size > 0) console.log(`  ${[...said].join("; ")}`);
    missed ||= failed > 0 || (p99 > ratioMax * peace && p99 - peace > slackMs);
    missed ||= waste !== undefined && waste > wasteMax;
  }
  if (missed) console.log("missed");
  return missed ? 1 : 0;
}

function start(seed) {
  const data = join(base, `n${nodes.length + 1}`);
  const args = [kvctl, "serve", "--json", "--data", data, "--listen", "127.0.0.1:0"];
  args.push("--durability", "os", "--log-level", "debug");
  if (seed !== undefined) args.push("--join", seed);
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const node = { child, address: "" };
  nodes.push(node);
  let rest = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const said of lines) note(said);
  });
  return new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => {
      node.address = JSON.parse(text).address;
      resolve(node);
    });
    child.once("exit", () => reject(new Error(`a node ended: ${rest}`)));
  });
}

function note(said) {
  if (!said.includes("node.streamed")) return;
  const { keys, bytes } = JSON.parse(said);
  streamed.keys += keys;
  streamed.bytes += bytes;
  streamed.partitions += 1;
}

async function fill(client) {
  let next = 0;
  const caller = async () => {
    while (next < records) {
      const i = next++;
      await client.put(keyFor(i), valueFor(i));
    }
  };
  await Promise.all(Array.from({ length: 64 }, caller));
}

function keyFor(i) {
  return `record-${String(i).padStart(8, "0")}`;
}

function valueFor(i) {
  return `${i} `.padEnd(valueBytes, "x");
}

/** A steady rate of gets and puts while `meanwhile` lasts. */
async function load(client, meanwhile) {
  const took = [];
  const going = new Set();
  const said = new Set();
  let failed = 0;
  let goesOn = true;
  const began = performance.now();
  const ended = meanwhile().finally(() => {
    goesOn = false;
  });
  for (let i = 0; goesOn; i++) {
    const due = began + (i * 1000) / rate;
    const early = due - performance.now();
    if (early > 0) await wait(early);
    const key = keyFor(Math.floor(Math.random() * records));
    const call = i % 2 === 0 ? client.get(key) : update(client, key, i);
    const settled = call.then(
      () => took.push(performance.now() - due),
      (error) => {
        failed += 1;
        if (said.size < 4) said.add(`${error.code}: ${error.message}`);
      },
    );
    going.add(settled);
    void settled.finally(() => going.delete(settled));
  }
  await ended;
  const tookMs = performance.now() - began;
  await Promise.all(going);
  took.sort((a, b) => a - b);
  const at = (share) => took[Math.floor(share * (took.length - 1))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1), failed, said, tookMs };
}

async function update(client, key, i) {
  const { context } = await client.get(key);
  await client.put(key, valueFor(i), { context });
}

async function until(client, holds) {
  const giveUp = performance.now() + settleMsMax;
  for (;;) {
    const status = await client.admin("status", {}, { timeoutMs: 20_000 }).catch(() => undefined);
    if (status !== undefined && holds(status)) return;
    if (performance.now() > giveUp) {
      throw new Error(`the cluster does not settle: ${JSON.stringify(status)}`);
    }
    await wait(250);
  }
}

function line(name, ...numbers) {
  return name.padEnd(16) + numbers.map((number) => String(number).padStart(12)).join("");
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
