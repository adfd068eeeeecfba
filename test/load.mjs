/**
 * Five million keys: `npm run load -- [--keys 5000000] [--value 100] [--directory DIR]`. Loads keys
 * of 16 bytes in batches of 1,000, two at a time, opens the database again and checks every
 * entry, on the built package with its default options. Measures resident memory of the whole
 * process, threads included, and how late the event loop was meanwhile. Exits 1 when a bound is
 * missed.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openEngine } from "../dist/native-free-engine/index.js";
import { measureLoopDelay } from "./support/loop-delay.mjs";

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "5000000" },
    value: { type: "string", default: "100" },
    directory: { type: "string" },
  },
});
const keys = Number(values.keys);
const valueBytes = Number(values.value);
const batchSize = 1000;
const batchesAtOnce = 2;
const memoryBytesMax = 512 << 20;
const delayMsMax = 20;
/** Odd, so that i → i * stride mod 2^32 visits every key once: the order looks random. */
const stride = 2654435761;

const directory = values.directory ?? mkdtempSync(join(tmpdir(), "everwrite-load-"));
const filler = createHash("sha512")
  .update("everwrite")
  .digest("hex")
  .repeat(1 + valueBytes / 128);
const failures = [];

try {
  await phase("load", load);
  await phase("reopen and verify", verify);
} finally {
  if (values.directory === undefined) rmSync(directory, { recursive: true, force: true });
}
if (failures.length > 0) console.log(`missed: ${failures.join(", ")}`);
process.exitCode = failures.length > 0 ? 1 : 0;

/** Runs it and prints its rate, its memory and the delays of the event loop. */
async function phase(name, work) {
  const delays = measureLoopDelay();
  let peak = 0;
  const sampling = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 50);
  const began = performance.now();
  const detail = await work();
  const seconds = (performance.now() - began) / 1000;
  const { felt, own, waitedMs } = delays.stop();
  clearInterval(sampling);
  console.log(`${name}: ${whole(keys / seconds)} keys/s in ${seconds.toFixed(1)} s${detail}`);
  console.log(`  memory peak ${mebibytes(peak)}, loop delay ${shown(felt)}`);
  console.log(
    `  without the ${(waitedMs / 1000).toFixed(1)} s that other processes had the core: ` +
      shown(own),
  );
  if (peak >= memoryBytesMax) failures.push(`memory during ${name}`);
  // On a machine that does other things too, only the engine's own share can be judged.
  const judged = waitedMs > 20 * seconds ? own : felt;
  if (judged.p99 >= delayMsMax) failures.push(`loop delay during ${name}`);
}

function shown({ p50, p99, max }) {
  return `p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} max ${max.toFixed(1)} ms`;
}

function whole(n) {
  return Math.round(n).toLocaleString("en");
}

async function load() {
  const engine = await openEngine(directory);
  let next = 0;
  const loader = async () => {
    while (next < keys) {
      const from = next;
      next = Math.min(keys, from + batchSize);
      const batch = [];
      for (let i = from; i < next; i++) {
        const n = Math.imul(i, stride) >>> 0;
        batch.push({ type: "put", key: keyOf(n), value: sampleOf(n) });
      }
      await engine.batch(batch);
    }
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, loader));
  await engine.flush();
  const { writeAmplification, stallMs } = engine.stats();
  await engine.close();
  return (
    `; write amplification ${writeAmplification.toFixed(2)}, ` +
    `writers held back for ${(stallMs / 1000).toFixed(1)} s`
  );
}

async function verify() {
  const engine = await openEngine(directory);
  let seen = 0;
  let before = "";
  const scan = engine.scan();
  for (;;) {
    const pairs = await scan.nextMany(1000);
    if (pairs.length === 0) break;
    for (const [key, value] of pairs) {
      const text = Buffer.from(key.buffer, key.byteOffset, key.length).latin1Slice();
      if (text <= before) throw new Error(`keys out of order: ${before}, ${text}`);
      before = text;
      check(text, value);
    }
    seen += pairs.length;
  }
  if (seen !== keys) throw new Error(`${seen} keys found, ${keys} were written`);
  for (let i = 0; i < keys; i += 97) {
    const n = Math.imul(i, stride) >>> 0;
    check(keyOf(n), await engine.get(keyOf(n)));
  }
  await engine.close();
  return "";
}

function check(key, value) {
  const n = Number(key.slice(4));
  const wanted = sampleOf(n);
  if (
    value !== undefined &&
    Buffer.from(value.buffer, value.byteOffset, value.length).latin1Slice() === wanted
  )
    return;
  throw new Error(`the value of ${key} is wrong`);
}

function keyOf(n) {
  return `key:${String(n).padStart(12, "0")}`;
}

function sampleOf(n) {
  const head = `${n} `;
  const from = n % 64;
  return head + filler.slice(from, from + valueBytes - head.length);
}

function mebibytes(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
