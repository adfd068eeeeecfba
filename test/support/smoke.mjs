/**
 * The engine end to end on whatever Node runs this: `node --no-addons smoke.mjs`. Writes, flushes,
 * compacts in threads, scans both ways, reopens and verifies, on the built package. Prints one line
 * that a program can read; exits 1 on the first thing that is wrong.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine, verifyEngine } from "../../dist/native-free-engine/index.js";

const keys = 20_000;
const directory = mkdtempSync(join(tmpdir(), "everwrite-smoke-"));
const began = performance.now();
try {
  await fill();
  await check();
  const report = await verifyEngine(directory);
  assert.deepEqual(report.problems, []);
  console.log(`smoke: ok on ${process.version} in ${Math.round(performance.now() - began)} ms`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function fill() {
  const engine = await openEngine(directory, { memtableBytes: 256 << 10, compression: "deflate" });
  for (let i = 0; i < keys; i += 500) {
    const batch = Array.from({ length: 500 }, (_, k) => put((i + k * 7919) % keys, "first"));
    await engine.batch(batch);
  }
  for (let i = 0; i < keys; i++) await engine.put(keyOf(i), sampleOf(i, "second"));
  const snapshot = engine.snapshot();
  for (let i = 0; i < keys; i += 10) await engine.delete(keyOf(i), { sync: i % 1000 === 0 });
  await engine.flush();
  await engine.compact();
  assert.equal(text(await engine.get(keyOf(10), { snapshot })), sampleOf(10, "second"));
  await snapshot.close();
  const { flushes, compactions } = engine.stats();
  assert.ok(flushes > 0 && compactions > 0, "threads flushed and compacted");
  await engine.close();
}

async function check() {
  const engine = await openEngine(directory);
  for (const reverse of [false, true]) {
    const wanted = Array.from({ length: keys }, (_, i) => i).filter((i) => i % 10 !== 0);
    if (reverse) wanted.reverse();
    let at = 0;
    for await (const [key, value] of engine.scan({ reverse })) {
      const i = wanted[at++];
      assert.equal(text(key), keyOf(i));
      assert.equal(text(value), sampleOf(i, "second"));
    }
    assert.equal(at, wanted.length);
  }
  await engine.close();
}

function put(i, word) {
  return { type: "put", key: keyOf(i), value: sampleOf(i, word) };
}

function keyOf(i) {
  return `key-${String(i).padStart(8, "0")}`;
}

function sampleOf(i, word) {
  return `${word} value of key ${i}`;
}

function text(bytes) {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}
