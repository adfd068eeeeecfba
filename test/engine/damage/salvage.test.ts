/**
 * Salvage makes every damaged database open again with what can still be read: what was not in the
 * damaged bytes is right, nothing is made up, and a salvage that was cut off can be done again.
 */
import { expect, test } from "vitest";
import { loadHash } from "../../../native-free-engine/base/hash.ts";
import { DiskCrashed, type MemoryDisk } from "../../../native-free-engine/disk/memory-disk.ts";
import { type SalvageReport, salvageOn } from "../../../native-free-engine/salvage.ts";
import { verifyOn } from "../../../native-free-engine/verify.ts";
import { buildSample, type Contents, filesOf, type Sample } from "../../support/damage-samples.ts";
import { randomFrom, seed } from "../../support/random.ts";
import { directory, newIdentity, openStill, stillClock } from "../../support/still-world.ts";

const shapes = [
  { name: "closed", closes: true, syncs: "never", logs: true },
  { name: "killed", closes: false, syncs: "often", logs: true },
  { name: "flushed", closes: true, syncs: "never", logs: false },
] as const;

for (const shape of shapes) {
  test(`with sound files, all comes back, whatever is wrong above (${shape.name})`, async () => {
    const sample = await buildSample(shape);
    for (const [name, spoil] of Object.entries(spoilers)) {
      const disk = sample.disk.clone();
      spoil(disk);
      const report = await salvage(disk);
      expect(wrongIn(sample, await contentsOf(disk)), name).toEqual([]);
      expect(report, name).toMatchObject({ bytesLost: 0, recordsSkipped: 0, tablesLost: 0 });
    }
  });

  test(`what was not in the damaged bytes is right (${shape.name})`, async () => {
    const sample = await buildSample(shape);
    const findings: string[] = [];
    for (const { file, kind, bytes } of filesOf(sample.disk)) {
      for (let at = 0; at < bytes.length; at += kind === "manifest" ? 97 : 23) {
        const disk = sample.disk.clone();
        const flipped = bytes.slice();
        flipped[at] = (flipped[at] ?? 0) ^ 0x55;
        disk.replace(`${directory}/${file}`, at % 2 === 0 ? flipped : bytes.slice(0, at));
        findings.push(...(await damageDone(sample, disk)).map((what) => `${file}, ${at}: ${what}`));
      }
    }
    expect(findings).toEqual([]);
  });
}

test("a whole database stays what it is, and can be salvaged again and again", async () => {
  const sample = await buildSample(shapes[0]);
  const disk = sample.disk.clone();
  const tables = filesOf(disk).filter(({ kind }) => kind === "table").length;
  for (let i = 0; i < 3; i++) {
    const report = await salvage(disk);
    if (i === 0) expect(report).toMatchObject({ tablesKept: tables, tablesRewritten: 0 });
    expect(report).toMatchObject({ filesMoved: [], lost: [], orderInferred: false });
    expect(wrongIn(sample, await contentsOf(disk.clone()))).toEqual([]);
  }
});

test("damaged files are kept in lost/ as they were", async () => {
  const sample = await buildSample(shapes[1]);
  const disk = sample.disk.clone();
  const kinds = ["table", "log"];
  const spoiled = filesOf(disk).filter(({ kind }) => kinds.includes(kind));
  for (const { file, bytes } of spoiled) {
    bytes[80] = (bytes[80] ?? 0) ^ 1;
    disk.replace(`${directory}/${file}`, bytes);
  }
  const { filesMoved } = await salvage(disk);
  expect(filesMoved).toEqual(spoiled.map(({ file }) => file).sort());
  for (const { file, bytes } of spoiled) {
    expect(disk.bytesOf(`${directory}/lost/${file}`)).toEqual(bytes);
  }
});

test("a table without its tail is searched for blocks, compressed ones too", async () => {
  const sample = await buildSample(shapes[2]);
  for (const { file, kind, bytes } of filesOf(sample.disk)) {
    if (kind !== "table") continue;
    const disk = sample.disk.clone();
    disk.replace(`${directory}/${file}`, bytes.slice(0, bytes.length - 1));
    const { tablesLost } = await salvage(disk);
    expect(tablesLost).toBe(0);
    expect(wrongIn(sample, await contentsOf(disk)), file).toEqual([]);
  }
});

test("a salvage that is cut off anywhere can be done again", async () => {
  await loadHash();
  const random = randomFrom(seed);
  for (const shape of shapes) {
    const sample = await buildSample(shape);
    for (const [name, spoil] of Object.entries(spoilers)) {
      const start = sample.disk.clone();
      spoil(start);
      for (let operation = 1; ; operation++) {
        const disk = start.clone();
        disk.failAt(operation, "crash");
        const done = await salvage(disk).then(
          () => true,
          (error) => {
            if (!(error instanceof DiskCrashed) && !(error?.cause instanceof DiskCrashed))
              throw error;
            return false;
          },
        );
        if (done) break;
        for (const survival of [0, 0.5, 1]) {
          const left = disk.crash({ survival, random });
          await salvage(left);
          const wrong = wrongIn(sample, await contentsOf(left));
          expect(wrong, `${name}, operation ${operation}, seed ${seed}`).toEqual([]);
        }
      }
    }
  }
});

/** Damage that costs no entries: what says where they are is gone. */
const spoilers: Readonly<Record<string, (disk: MemoryDisk) => void>> = {
  nothing: () => {},
  "CURRENT is missing": (disk) => disk.removeSync(`${directory}/CURRENT`),
  "CURRENT is damaged": (disk) => disk.replace(`${directory}/CURRENT`, Buffer.from("MANIFEST-1\n")),
  "no manifest": (disk) => forManifests(disk, (path) => disk.removeSync(path)),
  "the manifest is damaged": (disk) =>
    forManifests(disk, (path) => {
      const bytes = disk.bytesOf(path);
      bytes[700] = (bytes[700] ?? 0) ^ 4;
      disk.replace(path, bytes);
    }),
  "the manifest lost its end": (disk) =>
    forManifests(disk, (path) => disk.replace(path, disk.bytesOf(path).slice(0, 512 + 24))),
  "nothing but tables and logs": (disk) => {
    forManifests(disk, (path) => disk.removeSync(path));
    disk.removeSync(`${directory}/CURRENT`);
  },
};

function forManifests(disk: MemoryDisk, change: (path: string) => void): void {
  for (const { file, kind } of filesOf(disk))
    if (kind === "manifest") change(`${directory}/${file}`);
}

function salvage(disk: MemoryDisk): Promise<SalvageReport> {
  return salvageOn(disk, stillClock, directory, newIdentity);
}

async function contentsOf(disk: MemoryDisk): Promise<Contents> {
  const report = await verifyOn(disk, directory);
  if (!report.ok) throw new Error(`verify: ${JSON.stringify(report.problems)}`);
  const engine = await openStill(disk);
  const found = new Map<string, string>();
  for await (const [key, value] of engine.scan()) {
    found.set(Buffer.from(key).toString("latin1"), Buffer.from(value).toString("latin1"));
  }
  await engine.close();
  return found;
}

/** Keys that do not say what was written last. */
function wrongIn(sample: Sample, contents: Contents): readonly string[] {
  const full = sample.states.at(-1) ?? new Map();
  return sample.keys.filter((key) => contents.get(key) !== full.get(key));
}

/** Salvages; one flipped byte or lost end may cost the entries of one file, and no more. */
async function damageDone(sample: Sample, disk: MemoryDisk): Promise<readonly string[]> {
  const report = await salvage(disk);
  const contents = await contentsOf(disk);
  const findings: string[] = [];
  for (const [key, value] of contents) {
    if (!sample.states.some((state) => state.get(key) === value)) findings.push(`made up: ${key}`);
  }
  const wrong = wrongIn(sample, contents);
  // A log that was not closed may end between two records, and nobody knows that there were more.
  const isTail = !sample.isClosed && report.logEntries > 0;
  if (wrong.length > 0 && report.lost.length === 0 && !isTail) {
    findings.push(`wrong without a loss: ${wrong}`);
  }
  if (wrong.length > 14) findings.push(`too much is lost: ${wrong}`);
  return findings;
}
