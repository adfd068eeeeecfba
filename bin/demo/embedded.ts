/**
 * demo --embedded: the engine's main job on real records, as a story. It imports the cities,
 * reads and scans them, kills a writer in the middle of its writes, opens what is left, and checks
 * that everything acknowledged is there, byte for byte. The exit code is 0 only if all of it holds.
 */
import { type Engine, openEngine, verifyEngine } from "../../native-free-engine/index.ts";
import { BatchWriter } from "../batch-writer.ts";
import { exits } from "../exit.ts";
import { makeScratch } from "../files.ts";
import type { Invocation } from "../invocation.ts";
import { bar, createProgress } from "../progress.ts";
import { count, duration, plural, rate, size } from "../units.ts";
import { type City, loadCities, wrongCities } from "./cities.ts";
import { lostRecords, writeAndKill, wrongRecords } from "./crash.ts";
import { createStory, type Story } from "./story.ts";

const kills = 3;
const readsMeasured = 100_000;
const country = { name: "Iceland", code: "IS" };

export async function embeddedDemo(invocation: Invocation): Promise<number> {
  const { output } = invocation;
  const scratch = makeScratch();
  invocation.onInterrupt(() => {
    scratch.remove();
    process.exit(exits.interrupted);
  });
  const story = createStory(output);
  const started = performance.now();
  try {
    await tell(story, scratch.path, invocation);
    const ms = Math.round(performance.now() - started);
    await story.end(ms);
    return story.failures.length === 0 ? exits.ok : exits.failure;
  } finally {
    scratch.remove();
  }
}

async function tell(story: Story, directory: string, invocation: Invocation): Promise<void> {
  await story.say(
    "Everwrite, an embedded database in plain TypeScript: no server, no native add-on.",
  );
  const { cities, note } = await loadCities();
  if (note !== undefined) await story.say(note);
  await useEngine(directory, async (engine) => {
    await importCities(story, engine, cities, invocation);
    await readCities(story, engine, cities);
    await scanCountry(story, engine, cities);
  });
  const acknowledged: number[] = [];
  for (let kill = 1; kill <= kills; kill++) {
    await crashOnce(story, directory, acknowledged, kill);
  }
  await useEngine(directory, async (engine) => {
    const wrong = await wrongCities(engine, cities);
    const lost = await lostRecords(engine, acknowledged);
    await story.check(wrong === 0, {
      name: "compared",
      right: `all ${count(cities.length)} cities are there, in order and byte for byte`,
      wrong: `${plural(wrong, "city", "cities")} missing or changed`,
    });
    await story.check(lost.length === 0 && acknowledged.length > 0, {
      name: "kept",
      right: `all ${count(acknowledged.length)} acknowledged writes survived ${kills} kills`,
      wrong: `${plural(lost.length, "acknowledged write")} lost: ${lost.slice(0, 5).join(", ")}`,
    });
  });
  await verifyAll(story, directory);
}

async function useEngine(directory: string, use: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await openEngine(directory);
  try {
    await use(engine);
  } finally {
    await engine.close();
  }
}

async function importCities(
  story: Story,
  engine: Engine,
  cities: readonly City[],
  { output }: Invocation,
): Promise<void> {
  const done = { imported: 0 };
  const writer = new BatchWriter(engine, done);
  const progress = createProgress(output);
  const started = performance.now();
  for (const { key, value } of cities) {
    if (!writer.add({ type: "put", key, value })) continue;
    await writer.settled();
    const share = done.imported / cities.length;
    progress.update(() => `  ${bar(share, 32)} ${count(done.imported)} cities`);
  }
  await writer.finish();
  progress.finish();
  const ms = performance.now() - started;
  await story.check(done.imported === cities.length, {
    name: "imported",
    right: `${count(done.imported)} cities in ${duration(ms)}, ${rate(done.imported, ms)}`,
    wrong: `only ${count(done.imported)} of ${count(cities.length)} cities`,
  });
}

/** Every read is compared; the rate counts only the reads. */
async function readCities(story: Story, engine: Engine, cities: readonly City[]): Promise<void> {
  let wrong = 0;
  let ms = 0;
  // A step that shares no factor with the number of cities visits them all in scattered order.
  let at = 0;
  for (let done = 0; done < readsMeasured; done += 1000) {
    const some = Array.from({ length: 1000 }, () => {
      at = (at + 70_001) % cities.length;
      return cities[at]!;
    });
    const started = performance.now();
    const values: (Uint8Array | undefined)[] = [];
    for (const { key } of some) values.push(await engine.get(key));
    ms += performance.now() - started;
    for (const [i, value] of values.entries()) {
      if (value === undefined || Buffer.from(value).toString("utf8") !== some[i]!.value) wrong += 1;
    }
  }
  await story.check(wrong === 0, {
    name: "read",
    right: `${count(readsMeasured)} scattered point reads, ${rate(readsMeasured, ms)}`,
    wrong: `${count(wrong)} of ${count(readsMeasured)} reads gave something else`,
  });
}

async function scanCountry(story: Story, engine: Engine, cities: readonly City[]): Promise<void> {
  const prefix = `city/${country.code}/`;
  const expected = cities.filter(({ key }) => key.startsWith(prefix)).map(({ key }) => key);
  expected.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const started = performance.now();
  const found: string[] = [];
  for await (const [key] of engine.scan({ gte: prefix, lt: `city/${country.code}0` })) {
    found.push(Buffer.from(key).toString("utf8"));
  }
  const ms = performance.now() - started;
  const names = found.slice(0, 3).map((key) => key.split("/")[2]);
  await story.check(found.join("\n") === expected.join("\n"), {
    name: "scanned",
    right: `${found.length} towns of ${country.name} in ${ms.toFixed(1)} ms: ${names.join(", ")} …`,
    wrong: `the scan of ${country.name} shows ${found.length} of ${expected.length} towns`,
  });
}

async function crashOnce(
  story: Story,
  directory: string,
  acknowledged: number[],
  kill: number,
): Promise<void> {
  // Numbers that the writer had begun may be there too: the next one starts well above them.
  const first = kill * 1_000_000;
  const ms = 800 + Math.random() * 800;
  const crash = await writeAndKill({ directory, first, least: 200, ms });
  acknowledged.push(...crash.acknowledged);
  const started = performance.now();
  await useEngine(directory, async (engine) => {
    const openMs = performance.now() - started;
    const { entries, droppedBytes } = engine.stats().recovery;
    const lost = await lostRecords(engine, crash.acknowledged);
    const wrong = await wrongRecords(engine);
    const torn = droppedBytes === 0 ? "" : `, ${size(droppedBytes)} of a torn write dropped`;
    const back = `open again in ${duration(openMs)} (${count(entries)} replayed${torn})`;
    await story.check(crash.isKilled && lost.length === 0 && wrong === 0, {
      name: `kill -9 #${kill}`,
      right: `amid sync puts, ${count(crash.acknowledged.length)} acknowledged; ${back}`,
      wrong: crash.isKilled
        ? `${count(lost.length)} acknowledged writes lost, ${count(wrong)} wrong`
        : "the writer ended before it was killed",
    });
  });
}

async function verifyAll(story: Story, directory: string): Promise<void> {
  const started = performance.now();
  const report = await verifyEngine(directory);
  const ms = performance.now() - started;
  const files = `${plural(report.tables, "table")} and ${plural(report.logs, "log")}`;
  await story.check(report.ok, {
    name: "verified",
    right: `every checksum of ${files} is right, in ${duration(ms)}`,
    wrong: report.problems.map(({ what }) => what).join("; "),
  });
}
