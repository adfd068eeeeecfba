/**
 * What clients notice while the cluster changes: `npm run changes -- [--records 100000]
 * [--rate 300] [--seconds 20] [--rounds 1] [--only join,leave,exchange,compaction] [--verbose]`.
 *
 * Three nodes of the built package hold records and serve a steady load, half of it puts. A fourth
 * joins; the first leaves; one is put back from an old copy of its directory, so that its trees
 * differ in every leaf and every record is traded; large values come in beside the load, so that
 * memtables are flushed and tables merged. Before each change comes a stretch of peace, which it is
 * compared with.
 *
 * Prints the latencies of each stretch, requests that failed, the longest pauses of each node's
 * event loop, and the keys that were streamed beside the least that had to move. Exits 1 when a
 * request failed, when the 99th percentile of a change was more than twice that in peace (the
 * median of the rounds, and more than 10 ms above it), or when more than 5 % too much was moved.
 */
import { spawn } from "node:child_process";
import { closeSync, cpSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
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
    rounds: { type: "string", default: "1" },
    only: { type: "string", default: "join,leave,exchange,compaction" },
    verbose: { type: "boolean", default: false },
  },
});
const [records, rate, seconds, rounds] = [
  values.records,
  values.rate,
  values.seconds,
  values.rounds,
].map(Number);
const valueBytes = 100;
const ratioMax = 2;
const slackMs = 10;
const wasteMax = 1.05;
const settleMsMax = 600_000;
const forgottenMsMax = 60_000;
/** What comes in beside the load so that tables are made and merged: 16 MiB in 10 s. */
const bulk = { rate: 100, bytes: 16 << 10 };
/** Of a pause, work of the node itself. */
const toldMs = 8;
/** What nodes say is looked for so often. */
const followMs = 20;
/** Printed one by one with --verbose. */
const slowMs = 25;

const base = mkdtempSync(join(tmpdir(), "everwrite-changes-"));
const kvctl = fileURLToPath(new URL("../dist/bin/kvctl.js", import.meta.url));
const pauses = fileURLToPath(new URL("support/pauses.mjs", import.meta.url));
/** Nodes that run, the oldest first. */
let nodes = [];
let started = 0;
/** What nodes say in a stretch: keys that came to them, and how their loops stood still. */
let said = nothingSaid();

const changes = {
  join: { name: "a node joins", act: () => startNode(nodes[0].address) },
  leave: { name: "a node leaves", act: leave },
  exchange: { name: "copies differ", prepare: makeOld, act: bringBack },
  compaction: { name: "tables merge", act: pour },
};

try {
  process.exitCode = await run();
} finally {
  for (const { child } of nodes) child.kill("SIGKILL");
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
}

async function run() {
  const first = await startNode();
  for (let i = 0; i < 2; i++) await startNode(first.address);
  const client = await connect(nodes.map(({ address }) => address));
  await until(client, ({ nodes: all, transfers }) => all.length === 3 && transfers === 0);
  await fill(client);
  await settled(client);
  await load(client, () => wait(3_000));
  console.log(`${records} records of ${valueBytes} bytes, n = 3; times in milliseconds`);
  console.log(`${rate} requests a second, half of them puts`);
  console.log(line("", "p50", "p99", "p99.9", "max", "ratio", "failed", "seconds", "moved/least"));
  const rows = [];
  for (let round = 0; round < rounds; round++) {
    for (const what of values.only.split(",")) {
      const { name, prepare, act } = changes[what];
      await settled(client);
      const peaceful = performance.now() + seconds * 1_000;
      const peace = await stretch(client, () => until(client, () => performance.now() > peaceful));
      print("in peace", peace);
      const made = await prepare?.(client);
      const changed = await stretch(client, async () => {
        await act(client, made);
        await wait(1_000);
        await until(client, isWhole);
      });
      // With four nodes each holds three quarters of all: so much must come to the newcomer, and
      // so much must be taken over from the one that goes.
      const isMoving = what === "join" || what === "leave";
      const waste = isMoving ? changed.said.streamed / ((records * 3) / 4) : undefined;
      const ratio = changed.p99 / peace.p99;
      print(name, changed, { ratio, waste });
      rows.push({ ...changed, name, ratio, waste, above: changed.p99 - peace.p99, peace });
    }
  }
  await client.close();
  return judge(rows);
}

function judge(rows) {
  let missed = false;
  for (const name of new Set(rows.map((row) => row.name))) {
    const own = rows.filter((row) => row.name === name);
    const ratios = own.map(({ ratio }) => ratio).sort((a, b) => a - b);
    const ratio = ratios[Math.floor(ratios.length / 2)];
    const failed = own.reduce((sum, row) => sum + row.failed + row.peace.failed, 0);
    const isSlow = ratio > ratioMax && own.some(({ above }) => above > slackMs);
    const isWasteful = own.some(({ waste }) => waste !== undefined && waste > wasteMax);
    missed ||= failed > 0 || isSlow || isWasteful;
    const [least, most] = [ratios[0], ratios.at(-1)].map((each) => each.toFixed(2));
    console.log(`${name}: p99 ${ratio.toFixed(2)} x that in peace (${least} to ${most})`);
  }
  if (missed) console.log("missed");
  return missed ? 1 : 0;
}

function print(name, { p50, p99, p999, max, failed, errors, tookMs, said: heard }, more = {}) {
  const numbers = [p50, p99, p999].map((ms) => ms.toFixed(1));
  numbers.push(max.toFixed(0), more.ratio?.toFixed(2) ?? "", failed, (tookMs / 1000).toFixed(0));
  console.log(line(name, ...numbers, more.waste?.toFixed(3) ?? ""));
  if (errors.size > 0) console.log(`  ${[...errors].join("; ")}`);
  const traded = heard.traded === 0 ? "" : `  ${heard.traded} keys traded`;
  const perNode = [...heard.pauses].map(([node, { loop, work, minor, major }]) => {
    const stood = [...worst("pauses", loop), ...worst("of work", work)];
    return `${node}: ${[...stood, ...worst("gc", minor), ...worst("major gc", major)].join(", ")}`;
  });
  if (perNode.length > 0 || traded !== "") console.log(`  ${perNode.join("; ")}${traded}`);
}

/** How often, and the three longest. */
function worst(what, times) {
  if (times.length === 0) return [];
  const longest = times.sort((a, b) => b - a).slice(0, 3);
  return [`${times.length} ${what} ${longest.map((ms) => ms.toFixed(0)).join("+")} ms`];
}

function nothingSaid() {
  const beganAt = performance.now();
  return { streamed: 0, traded: 0, isForgotten: false, pauses: new Map(), beganAt };
}

/** Loads the cluster while something happens, and listens to what nodes say meanwhile. */
async function stretch(client, meanwhile) {
  said = nothingSaid();
  const measured = await load(client, meanwhile);
  return { ...measured, said };
}

async function leave(client) {
  const [first, ...others] = nodes;
  await client.admin("leave", { node: first.address });
  nodes = [...others, first];
  first.child.once("exit", () => {
    nodes = nodes.filter((node) => node !== first);
  });
}

/** Stops a node, and puts a copy of its directory in place that is older than every record. */
async function makeOld(client) {
  const node = nodes[1];
  const old = `${node.data}-old`;
  await stop(node);
  cpSync(node.data, old, { recursive: true });
  await startNode(undefined, node);
  await settled(client);
  await fill(client);
  await settled(client);
  await stop(nodes.at(-1));
  rmSync(node.data, { recursive: true });
  cpSync(old, node.data, { recursive: true });
  rmSync(old, { recursive: true });
  return node;
}

async function stop(node) {
  nodes = nodes.filter((each) => each !== node);
  const exited = new Promise((resolve) => node.child.once("exit", resolve));
  node.child.kill("SIGTERM");
  await exited;
}

/** Until the others have told it that its disk is old. */
async function bringBack(_client, old) {
  await startNode(undefined, old);
  const giveUp = performance.now() + forgottenMsMax;
  while (!said.isForgotten && performance.now() < giveUp) await wait(50);
}

/** Large values for as long as it is peaceful otherwise. */
async function pour(client) {
  const until = performance.now() + seconds * 1_000;
  const value = "x".repeat(bulk.bytes);
  const going = [];
  for (let i = 0; performance.now() < until; i++) {
    going.push(client.put(`bulk-${i % 5_000}`, value).catch(() => {}));
    await wait(1_000 / bulk.rate);
  }
  await Promise.all(going);
}

/** A new one, or one that ran before. */
function startNode(seed, again) {
  if (again === undefined) started += 1;
  const name = again?.name ?? `n${started}`;
  const data = again?.data ?? join(base, name);
  const args = ["--import", pauses, kvctl, "serve", "--json", "--data", data];
  args.push("--listen", again?.address ?? "127.0.0.1:0");
  args.push("--durability", "os", "--log-level", "debug");
  if (seed !== undefined) args.push("--join", seed);
  const log = join(base, `${name}.log`);
  const end = openSync(log, "w");
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", end] });
  closeSync(end);
  const node = { name, data, child, address: "" };
  nodes.push(node);
  const told = follow(log, (each) => hear(name, each));
  return new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => {
      node.address = JSON.parse(text).address;
      resolve(node);
    });
    child.once("exit", () => reject(new Error(`a node ended: ${told.last}`)));
    child.once("close", told.end);
  });
}

/** By way of a file: a pipe that is not emptied in time makes whoever writes to it stand still. */
function follow(path, onLine) {
  const from = openSync(path, "r");
  const bytes = Buffer.alloc(1 << 16);
  const told = { last: "", end: () => undefined };
  let rest = "";
  const read = () => {
    for (let length = 1; length > 0; ) {
      length = readSync(from, bytes);
      const lines = (rest + bytes.latin1Slice(0, length)).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        told.last = line;
        onLine(line);
      }
    }
  };
  const timer = setInterval(read, followMs);
  told.end = () => {
    clearInterval(timer);
    read();
    closeSync(from);
  };
  return told;
}

function hear(name, text) {
  if (text.includes("node.forgotten")) said.isForgotten = true;
  const isNews = /"(pauseMs|gcMs)":|node\.(streamed|exchanged)/.test(text);
  if (!isNews) return;
  const { keys = 0, received = 0, pauseMs, workMs, gcMs, isMajor } = JSON.parse(text);
  said.streamed += keys;
  said.traded += received;
  if (pauseMs === undefined && gcMs === undefined) return;
  const own = said.pauses.get(name) ?? { loop: [], work: [], minor: [], major: [] };
  said.pauses.set(name, own);
  if (pauseMs !== undefined) own.loop.push(pauseMs);
  if (workMs !== undefined && workMs >= toldMs) own.work.push(workMs);
  if (gcMs !== undefined) own[isMajor ? "major" : "minor"].push(gcMs);
  tell(`${name} ${text}`);
}

function tell(what) {
  if (!values.verbose) return;
  console.log(`    ${((performance.now() - said.beganAt) / 1000).toFixed(2)} s  ${what}`);
}

async function fill(client) {
  let next = 0;
  const caller = async () => {
    while (next < records) {
      const i = next++;
      const key = keyFor(i);
      const { context } = await client.get(key);
      await client.put(key, valueFor(i), { context });
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
  const errors = new Set();
  let failed = 0;
  let goesOn = true;
  const began = performance.now();
  const ended = meanwhile().finally(() => {
    goesOn = false;
  });
  // Whoever awaits it comes later: until then a failure is nobody's.
  ended.catch(() => {});
  for (let i = 0; goesOn; i++) {
    const due = began + (i * 1000) / rate;
    const early = due - performance.now();
    if (early > 0) await wait(early);
    const key = keyFor(Math.floor(Math.random() * records));
    const call = i % 2 === 0 ? client.get(key) : update(client, key, i);
    const settled = call.then(
      () => {
        const ms = performance.now() - due;
        took.push(ms);
        if (ms >= slowMs) tell(`${i % 2 === 0 ? "get" : "put"} took ${ms.toFixed(0)} ms`);
      },
      (error) => {
        failed += 1;
        if (errors.size < 4) errors.add(`${error.code}: ${error.message}`);
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
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1), failed, errors, tookMs };
}

async function update(client, key, i) {
  const { context } = await client.get(key);
  await client.put(key, valueFor(i), { context });
}

/** Nothing moves or is filled any more. Of a node that is away nobody says what it lacks. */
function isWhole({ nodes: all, transfers, rebuilding }) {
  return transfers + rebuilding === 0 && all.every(({ live }) => live);
}

/** Nor is anything written: all copies are the same. */
function settled(client) {
  return until(client, (status) => {
    return isWhole(status) && status.hintsPending === 0 && status.rootsAgree;
  });
}

/** Looks once a second, in peace as in changes: what is asked of all nodes costs them time. */
async function until(client, holds) {
  const giveUp = performance.now() + settleMsMax;
  for (;;) {
    const status = await client.admin("status", {}, { timeoutMs: 20_000 }).catch(() => undefined);
    if (status !== undefined && holds(status)) return;
    if (performance.now() > giveUp) {
      throw new Error(`the cluster does not settle: ${JSON.stringify(status)}`);
    }
    await wait(1_000);
  }
}

function line(name, ...numbers) {
  return name.padEnd(16) + numbers.map((number) => String(number).padStart(12)).join("");
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
