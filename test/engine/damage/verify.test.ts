/** Verification finds all that is wrong, by file and offset, and nothing where all is well. */
import { expect, test } from "vitest";
import type { MemoryDisk } from "../../../native-free-engine/disk/memory-disk.ts";
import { describeFileOn } from "../../../native-free-engine/inspect.ts";
import { verifyOn } from "../../../native-free-engine/verify.ts";
import { buildSample, filesOf, recordsOf } from "../../support/damage-samples.ts";
import { directory } from "../../support/still-world.ts";

const closed = { name: "closed", closes: true, syncs: "never", logs: true } as const;
const killed = { name: "killed", closes: false, syncs: "often", logs: true } as const;

test("a whole database is counted, and left as it is", async () => {
  for (const shape of [closed, killed]) {
    const { disk } = await buildSample(shape);
    const before = filesOf(disk);
    const files = (kind: string) => before.filter((file) => file.kind === kind).length;
    const report = await verifyOn(disk, directory);
    expect(report).toMatchObject({ ok: true, tables: files("table"), logs: files("log") });
    expect(report).toMatchObject({ problems: [], droppedBytes: 0 });
    expect(filesOf(disk)).toEqual(before);
  }
});

test("every damaged block of every table is named", async () => {
  const { disk } = await buildSample(closed);
  const places: string[] = [];
  for (const { file, kind } of filesOf(disk)) {
    if (kind !== "table") continue;
    const described = await describeFileOn(disk, `${directory}/${file}`);
    if (described.kind !== "table") throw new Error(`${file} is a ${described.kind}`);
    for (const { offset } of described.blocks) {
      flip(disk, file, offset + 9);
      places.push(`${file} at ${offset}`);
    }
  }
  const report = await verifyOn(disk, directory);
  expect(report.ok).toBe(false);
  expect(report.problems.map(({ file, offset }) => `${file} at ${offset}`).sort()).toEqual(
    places.sort(),
  );
});

test("damage to tables does not hide damage to logs", async () => {
  const { disk } = await buildSample(killed);
  const [first] = recordsOf(disk);
  const table = filesOf(disk).find(({ kind }) => kind === "table");
  if (first === undefined || table === undefined) throw new Error("the sample has both");
  flip(disk, first.file, first.start + 40);
  flip(disk, table.file, table.bytes.length - 3);
  const { problems } = await verifyOn(disk, directory);
  expect(problems.map(({ file }) => file)).toEqual([table.file, first.file]);
  expect(problems[1]).toMatchObject({ offset: first.start });
});

test("a table that is missing is named", async () => {
  const { disk } = await buildSample(closed);
  const table = filesOf(disk).find(({ kind }) => kind === "table");
  disk.removeSync(`${directory}/${table?.file}`);
  const { problems } = await verifyOn(disk, directory);
  expect(problems).toMatchObject([{ file: table?.file, what: expect.stringContaining("missing") }]);
});

test("the torn tail of a killed process is no problem, and is measured", async () => {
  const { disk } = await buildSample(killed);
  const last = recordsOf(disk).at(-1);
  if (last === undefined) throw new Error("the sample has records");
  const path = `${directory}/${last.file}`;
  disk.replace(path, disk.bytesOf(path).slice(0, last.next - 8));
  const report = await verifyOn(disk, directory);
  expect(report).toMatchObject({ ok: true, problems: [] });
  expect(report.droppedAt).toEqual({ file: last.file, offset: last.start });
  expect(report.droppedBytes).toBeGreaterThan(0);
});

function flip(disk: MemoryDisk, file: string, at: number): void {
  const path = `${directory}/${file}`;
  const bytes = disk.bytesOf(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  disk.replace(path, bytes);
}
