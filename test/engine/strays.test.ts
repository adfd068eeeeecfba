/** Files that the manifest and the directory do not agree about. */
import { expect, test } from "vitest";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { tableName } from "../../native-free-engine/files.ts";
import { directory, openStill } from "../support/still-world.ts";

async function closedDatabase(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const engine = await openStill(disk);
  for (let i = 0; i < 8; i++) await engine.put(`key ${i}`, `value ${i}`);
  await engine.flush();
  await engine.close();
  return disk;
}

function tablesOn(disk: MemoryDisk): readonly string[] {
  return disk.files().filter((path) => path.endsWith(".sst"));
}

test("a table that the manifest lists and nobody finds is told by its name", async () => {
  const disk = await closedDatabase();
  const [table = ""] = tablesOn(disk);
  disk.removeSync(table);
  const name = table.slice(directory.length + 1);
  const told = { code: "CORRUPTION", message: expect.stringContaining(name) };
  await expect(
    (async () => {
      const engine = await openStill(disk);
      try {
        await engine.get("key 3");
      } finally {
        await engine.close();
      }
    })(),
  ).rejects.toMatchObject(told);
});

test("a table that no manifest lists is removed, and another program's file is not", async () => {
  const disk = await closedDatabase();
  const [table = ""] = tablesOn(disk);
  // One that a crash left behind before it was ever installed, and one of somebody else.
  const stray = `${directory}/${tableName(900)}`;
  disk.replace(stray, disk.bytesOf(table));
  disk.replace(`${directory}/notes.txt`, Buffer.from("mine"));
  const engine = await openStill(disk);
  expect(Buffer.from((await engine.get("key 3")) ?? []).toString()).toBe("value 3");
  await engine.close();
  expect(disk.files()).not.toContain(stray);
  expect(disk.files()).toContain(`${directory}/notes.txt`);
});
