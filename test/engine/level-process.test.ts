/**
 * EverwriteLevel and the life of its process: it ends on its own whatever is still open, another
 * process or thread is kept out, and memory does not grow. Runs the built package.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { freshDirectory, openLevel } from "../level/fixture.ts";

const built = new URL("../../dist/native-free-engine/level.js", import.meta.url).href;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/** Runs a module that finds the class, and in `location` a directory to use. */
async function run(script: string, location: string, flags: string[] = []): Promise<Ended> {
  const source = `import { EverwriteLevel } from "${built}";
    const location = ${JSON.stringify(location)};
    ${script}`;
  const child: ChildProcess = spawn(
    process.execPath,
    [
      ...["--no-addons", "--unhandled-rejections=strict", ...flags],
      ...["--input-type=module", "--eval", source],
    ],
    { stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 },
  );
  let output = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  child.stderr?.on("data", (chunk) => (output += chunk));
  const [code, signal] = await once(child, "close");
  return { code, signal, output: output.trim() };
}

describe("a process ends by itself", () => {
  const scripts: Record<string, string> = {
    "with a database that was never opened": `new EverwriteLevel(location);`,
    "with an open database, an open iterator and reads under way": `
      const db = new EverwriteLevel(location);
      await db.open();
      db.iterator();
      db.iterator().next();
      db.get("a");`,
    "with a close under way": `
      const db = new EverwriteLevel(location);
      await db.open();
      db.iterator().next();
      db.close();`,
    "after a failed open": `
      const db = new EverwriteLevel(location);
      await db.open({ createIfMissing: false }).catch(() => {});`,
    "after a flush in a thread": `
      const db = new EverwriteLevel(location);
      await db.put("a", "1");
      await db.flush();`,
  };
  for (const [name, script] of Object.entries(scripts)) {
    test(name, async () => {
      const location = join(freshDirectory(), "db");
      expect(await run(`${script} console.log("done")`, location)).toEqual({
        code: 0,
        signal: null,
        output: "done",
      });
    });
  }

  test("with writes under way, and what was acknowledged is there", async () => {
    const location = join(freshDirectory(), "db");
    const script = `
      const db = new EverwriteLevel(location);
      await db.put("acknowledged", "1");
      for (let i = 0; i < 1000; i++) db.put("pending" + i, "1", { sync: true });
      db.flush();
      process.exit(0);`;
    expect(await run(script, location)).toEqual({ code: 0, signal: null, output: "" });
    const db = await openLevel({}, location);
    expect(await db.get("acknowledged")).toBe("1");
  });
});

describe("a second holder", () => {
  const open = `
    const db = new EverwriteLevel(location);
    const failure = await db.open().catch((error) => error);
    console.log(failure?.code, failure?.cause?.code);`;

  test("in another process is told LEVEL_LOCKED", async () => {
    const db = await openLevel();
    const { output } = await run(open, db.location);
    expect(output).toBe("LEVEL_DATABASE_NOT_OPEN LEVEL_LOCKED");
    await db.close();
    expect((await run(open, db.location)).output).toBe("undefined undefined");
  });

  test("in another thread is told LEVEL_LOCKED, and then takes over", async () => {
    const db = await openLevel();
    const script = `
      const { parentPort } = require("node:worker_threads");
      import(${JSON.stringify(built)}).then(({ EverwriteLevel }) => {
        const db = new EverwriteLevel(${JSON.stringify(db.location)}, { multithreading: true });
        parentPort.on("message", async () => {
          const failure = await db.open().catch((error) => error);
          if (failure === undefined) await db.put("from", "a thread");
          parentPort.postMessage(failure?.cause?.code ?? "opened");
        });
      });`;
    const worker = new Worker(script, { eval: true });
    const ask = async () => {
      worker.postMessage("open");
      return (await once(worker, "message"))[0];
    };
    expect(await ask()).toBe("LEVEL_LOCKED");
    await db.close();
    expect(await ask()).toBe("opened");
    await worker.terminate();
    await db.open();
    expect(await db.get("from")).toBe("a thread");
  });
});

test("memory does not grow with what was read, iterated, closed and reopened", async () => {
  const script = `
    const db = new EverwriteLevel(location, { cacheSize: 1 << 16 });
    const used = () => (gc(), process.memoryUsage().heapUsed);
    const use = async () => {
      for (let i = 0; i < 1000; i++) {
        await db.put("key" + (i % 50), "x".repeat(100));
        await db.get("key" + (i % 50));
        const iterator = db.iterator();
        await iterator.next();
        await iterator.close();
        const snapshot = db.snapshot();
        await snapshot.close();
        await db.batch().put("a", "b").close();
      }
    };
    const reopen = async () => {
      await db.close();
      await db.open();
    };
    await use();
    await reopen();
    await use();
    const before = used();
    await use();
    console.log(used() - before);
    for (let i = 0; i < 5; i++) await reopen();
    console.log(used() - before);
    process.exit(0);`;
  const { output } = await run(script, join(freshDirectory(), "db"), ["--expose-gc"]);
  const growth = output.split("\n").map(Number);
  expect(growth.length).toBe(2);
  for (const bytes of growth) expect(bytes).toBeLessThan(512 << 10);
});
