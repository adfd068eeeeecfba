/**
 * CURRENT: the old manifest or the new one, whatever happens; and never a guess.
 */
import { expect, test } from "vitest";
import { currentContent, readCurrent, switchCurrent } from "../../native-free-engine/current.ts";
import { DiskCrashed, MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { randomFrom, seed } from "../support/random.ts";

const path = "/db/CURRENT";

function newDisk(): MemoryDisk {
  const disk = new MemoryDisk({ journal: true });
  disk.makeDirectorySync("/db");
  return disk;
}

function withContent(content: string): MemoryDisk {
  const disk = newDisk();
  disk.replace(path, Buffer.from(content, "latin1"));
  return disk;
}

test("it names the manifest it was switched to", async () => {
  const disk = newDisk();
  expect(readCurrent(disk, "/db")).toEqual({ kind: "missing" });
  for (const number of [1, 12, 1_000_000, Number.MAX_SAFE_INTEGER]) {
    await switchCurrent(disk, "/db", number);
    expect(readCurrent(disk, "/db")).toEqual({ kind: "ok", number });
  }
  expect(disk.files()).toEqual([path]);
});

test("a leftover of an earlier switch is in nobody's way", async () => {
  const disk = newDisk();
  disk.replace(`${path}.tmp`, Buffer.from("MANIFEST-0"));
  await switchCurrent(disk, "/db", 12);
  expect(readCurrent(disk, "/db")).toEqual({ kind: "ok", number: 12 });
});

test("a crash during a switch leaves the old or the new, and after it the new", async () => {
  const random = randomFrom(seed);
  for (let operation = 1, done = false; !done; operation++) {
    const disk = newDisk();
    await switchCurrent(disk, "/db", 12);
    disk.failAt(disk.operations + operation, "crash", { torn: random() });
    try {
      await switchCurrent(disk, "/db", 13);
      done = true;
    } catch (error) {
      expect(error).toMatchObject({ code: "IO", place: { file: "CURRENT" } });
      expect((error as Error).cause).toBeInstanceOf(DiskCrashed);
    }
    for (const survival of [0, 1, ...Array.from({ length: 30 }, () => 0.5)]) {
      const left = disk.crash({ survival, random });
      const context = `seed ${seed}, ${disk.journal.at(-1)}, survival ${survival}`;
      const found = readCurrent(left, "/db");
      const allowed = done ? [13] : [12, 13];
      expect(found.kind === "ok" && allowed.includes(found.number), context).toBe(true);
      await switchCurrent(left, "/db", 14);
      expect(readCurrent(left, "/db"), context).toEqual({ kind: "ok", number: 14 });
    }
  }
});

test("any changed byte, and any cut, is damage", () => {
  const content = currentContent(12);
  for (let at = 0; at < content.length; at++) {
    for (let flip = 1; flip < 256; flip++) {
      const bytes = Buffer.from(content, "latin1");
      bytes[at]! ^= flip;
      const found = readCurrent(withContent(bytes.toString("latin1")), "/db");
      expect(found.kind, `byte ${at} ^ ${flip}`).toBe("damaged");
    }
    expect(readCurrent(withContent(content.slice(0, at)), "/db").kind).toBe("damaged");
  }
});

test("nothing but the exact content will do", () => {
  const content = currentContent(12);
  const others = [
    "",
    `${content}\n`,
    ` ${content}`,
    content.replace(" ", "  "),
    content.toUpperCase(),
    content.replace("\n", "\r\n"),
    content.replace("\n", ""),
    content.replace("MANIFEST-000012", "MANIFEST-12"),
    currentContent(12).replace("MANIFEST-000012", "MANIFEST-000013"),
    content + "x".repeat(1000),
    "CURRENT 00000000\n",
  ];
  for (const other of others) {
    const found = readCurrent(withContent(other), "/db");
    expect(found, JSON.stringify(other)).toMatchObject({ kind: "damaged" });
  }
});

test("a read that the disk refuses is an error with its cause", async () => {
  const disk = newDisk();
  await switchCurrent(disk, "/db", 12);
  disk.failReadAt(disk.reads + 1, "EIO");
  expect(() => readCurrent(disk, "/db")).toThrow(
    expect.objectContaining({ code: "IO", cause: expect.objectContaining({ code: "EIO" }) }),
  );
});
