/**
 * Jobs in threads: the same bytes as on the main thread, errors that keep their meaning on the way
 * back, one pool for all engines, and a process that can always end. Threads run the built
 * package.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FlushJob } from "../../native-free-engine/compaction/job.ts";
import { StallGuard, silentLooksMax } from "../../native-free-engine/compaction/stall-guard.ts";
import { runTask } from "../../native-free-engine/compaction/thread-entry.ts";
import {
  describeFailure,
  type Failure,
  restoreError,
} from "../../native-free-engine/compaction/thread-failure.ts";
import { threadWorkers } from "../../native-free-engine/compaction/thread-workers.ts";
import { inlineWorkers, type Workers } from "../../native-free-engine/compaction/workers.ts";
import { nodeDisk } from "../../native-free-engine/disk/node-disk.ts";
import { ioError, isEngineError } from "../../native-free-engine/errors.ts";
import { systemClock } from "../../native-free-engine/system-clock.ts";
import { compactionJob, flushJob, put } from "./job-fixture.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const operations = Array.from({ length: 3000 }, (_, i) => put(`key ${1000 + i}`, `value ${i}`));
/** Every thread that was started, so that a test can kill one. */
const threads: Worker[] = [];
const workerThreads = createRequire(import.meta.url)("node:worker_threads");
const { Worker: OriginalWorker } = workerThreads;

let directory: string;
let opened: Workers[];

beforeAll(() => {
  workerThreads.Worker = class extends OriginalWorker {
    constructor(...options: unknown[]) {
      super(...options);
      threads.push(this as unknown as Worker);
    }
  };
});

afterAll(() => {
  workerThreads.Worker = OriginalWorker;
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "everwrite-threads-"));
  opened = [];
});

afterEach(async () => {
  for (const workers of opened) await workers.close();
  rmSync(directory, { recursive: true, force: true });
});

function open(): Workers {
  const workers = threadWorkers();
  opened.push(workers);
  return workers;
}

function flushInto(number: number, fields: Partial<FlushJob> = {}): FlushJob {
  return flushJob(operations, { directory, number, ...fields });
}

function fileOf(number: number): string {
  return join(directory, `${String(number).padStart(6, "0")}.sst`);
}

describe("a job in a thread", () => {
  test("writes the same bytes and answers the same as on the main thread", async () => {
    const inside = mkdtempSync(join(tmpdir(), "everwrite-inline-"));
    try {
      const results = [];
      for (const [workers, place] of [
        [open(), directory],
        [inlineWorkers(nodeDisk(), systemClock), inside],
      ] as const) {
        const flushed = await workers.run(flushInto(1, { directory: place }));
        const job = compactionJob([flushed.tables], { directory: place, tableBytes: 20_000 });
        results.push([flushed, await workers.run(job)]);
      }
      expect(results[0]).toEqual(results[1]);
      expect(results[0]![1]!.tables.length).toBeGreaterThan(2);
      for (const number of [1, 100, 101, 102]) {
        const name = `${String(number).padStart(6, "0")}.sst`;
        const same = readFileSync(join(inside, name)).equals(readFileSync(join(directory, name)));
        expect(same, name).toBe(true);
      }
    } finally {
      rmSync(inside, { recursive: true });
    }
  });

  test("hands over the tail of its table in shared memory", async () => {
    const { tables } = await open().run(flushInto(1));
    expect(tables[0]!.tail.buffer).toBeInstanceOf(SharedArrayBuffer);
    const file = readFileSync(fileOf(1)).subarray(tables[0]!.tailAt);
    expect(Buffer.from(tables[0]!.tail).equals(file)).toBe(true);
  });

  test("that meets damage rejects with the file and the place", async () => {
    const workers = open();
    const { tables } = await workers.run(flushInto(1));
    const disk = nodeDisk();
    const file = disk.openSync(fileOf(1), "reuse");
    file.writeSync(Uint8Array.of(0xff, 0xff), 0, 2, 100);
    file.closeSync();
    const failure = await workers.run(compactionJob([tables], { directory })).catch((e) => e);
    expect(isEngineError(failure, "CORRUPTION"), String(failure)).toBe(true);
    expect(failure.place).toEqual({ file: "000001.sst", offset: 0 });
  });

  test("that the system refuses rejects with the system's code", async () => {
    const failure = await open()
      .run(flushInto(1, { directory: join(directory, "missing") }))
      .catch((error) => error);
    expect(failure).toMatchObject({ code: "ENOENT" });
  });

  test("that finds the disk full says so, wherever the error was wrapped", () => {
    const full = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    expect(restoreError(sent(full))).toMatchObject({ code: "ENOSPC", message: "no space left" });
    const wrapped = restoreError(sent(ioError({ file: "000001.sst", offset: 8 }, "write", full)));
    expect(isEngineError(wrapped, "IO")).toBe(true);
    expect(wrapped).toMatchObject({
      place: { file: "000001.sst", offset: 8 },
      applied: "maybe",
      cause: { code: "ENOSPC" },
    });
    expect(restoreError(sent("no error at all"))).toMatchObject({ message: "no error at all" });
  });

  test("keeps the stack of where it failed", async () => {
    const failure = await open()
      .run(flushInto(1, { directory: join(directory, "missing") }))
      .catch((error) => error);
    expect(failure.stack).toContain("compaction/flush");
  });

  test("that cannot be sent is rejected, and the next one runs", async () => {
    const workers = open();
    const unsendable = { ...flushInto(1), snapshots: [() => {}] } as unknown as FlushJob;
    await expect(workers.run(unsendable)).rejects.toMatchObject({ code: "WORKER" });
    expect((await workers.run(flushInto(2))).entriesOut).toBe(3000);
  });

  test("whose thread dies is rejected, and the next one runs in another", async () => {
    const workers = open();
    await workers.run(flushInto(1));
    const running = workers.run(flushInto(2)).catch((error) => error);
    // Reached once the job was posted, and before any answer can be read.
    await Promise.resolve();
    await threads.at(-1)!.terminate();
    const failure = await running;
    expect(isEngineError(failure, "WORKER"), String(failure)).toBe(true);
    expect((await workers.run(flushInto(3))).entriesOut).toBe(3000);
  });
});

/** As an error arrives from a thread. */
function sent(error: unknown): Failure {
  return structuredClone(describeFailure(error));
}

describe("the pool", () => {
  test("takes as many jobs at once as a thousand engines may have", async () => {
    const workers = open();
    const few = operations.slice(0, 3);
    const jobs = Array.from({ length: 60 }, (_, i) =>
      workers.run(flushJob(few, { directory, number: 1 + i })),
    );
    const results = await Promise.all(jobs);
    expect(results.every(({ entriesOut }) => entriesOut === 3)).toBe(true);
  });

  test("is one for all engines, and outlives those that close before others", async () => {
    const started = threads.length;
    const [first, second] = [open(), open()];
    await Promise.all([first.run(flushInto(1)), second.run(flushInto(2))]);
    await first.close();
    await second.run(flushInto(3));
    // The number of threads depends on the machine, but not on the number of engines.
    expect(threads.length - started).toBeLessThanOrEqual(2);
  });

  test("starts again for an engine that opens after the last one closed", async () => {
    const first = open();
    await first.run(flushInto(1));
    await first.close();
    await first.close();
    expect((await open().run(flushInto(2))).entriesOut).toBe(3000);
  });

  test("starts no thread before there is a job", async () => {
    const started = threads.length;
    await open().close();
    expect(threads.length).toBe(started);
  });

  test("of an engine that opens while the last one closes is not the one that ends", async () => {
    const first = open();
    await first.run(flushInto(1));
    const closing = first.close();
    const second = open();
    const running = second.run(flushInto(2));
    await closing;
    expect((await running).entriesOut).toBe(3000);
  });
});

describe("the guard of the threads", () => {
  function looked(guard: StallGuard, times: number): boolean {
    let answer = false;
    for (let i = 0; i < times; i++) answer = guard.look();
    return answer;
  }

  test("gives up jobs that make no step for many looks", () => {
    const guard = new StallGuard();
    guard.begin();
    expect(looked(guard, silentLooksMax - 1)).toBe(false);
    expect(guard.look()).toBe(true);
    expect(guard.hasGivenUp).toBe(true);
  });

  test("leaves slow jobs alone as long as they make steps", () => {
    const guard = new StallGuard();
    guard.begin();
    for (let i = 0; i < 5; i++) {
      expect(looked(guard, silentLooksMax - 1)).toBe(false);
      Atomics.add(guard.beat, 0, 1);
    }
  });

  test("expects no steps while no job runs", () => {
    const guard = new StallGuard();
    guard.begin();
    guard.end();
    expect(looked(guard, 5 * silentLooksMax)).toBe(false);
  });

  test("hears the steps of jobs in threads", async () => {
    const before = { job: flushInto(1), beat: new Int32Array(new SharedArrayBuffer(4)) };
    expect(await runTask({ kind: "job", ...before })).toMatchObject({ kind: "done" });
    expect(before.beat[0]).toBeGreaterThan(2);
  });
});

describe("a process", () => {
  /** Runs a program that flushes in a thread; resolves with how it ended. */
  function ended(args: readonly string[], input?: string) {
    const child = spawn(process.execPath, [...args], {
      stdio: ["pipe", "pipe", "pipe"],
      cwd: root,
    });
    child.stdin.end(input ?? "");
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
    return new Promise<{ code: number | null; output: string }>((resolve) => {
      child.on("close", (code) => {
        clearTimeout(late);
        resolve({ code, output });
      });
    });
  }

  function program(ending: string): string {
    const engine = new URL("../../dist/native-free-engine/index.js", import.meta.url);
    return `
      import { openEngine } from ${JSON.stringify(engine.href)};
      const engine = await openEngine(${JSON.stringify(join(directory, "db"))});
      await engine.put("key", "value");
      await engine.flush();
      process.stdout.write(await engine.get("key"));
      ${ending}
    `;
  }

  test("ends although its engine was never closed", async () => {
    const args = ["--input-type=module", "--eval", program("")];
    expect(await ended(args)).toEqual({ code: 0, output: "value" });
  });

  test("ends when its engine is closed, without add-ons", async () => {
    const args = ["--no-addons", "--input-type=module", "--eval", program("await engine.close();")];
    expect(await ended(args)).toEqual({ code: 0, output: "value" });
  });

  test("that reads its program from standard input can flush", async () => {
    const args = ["--input-type=module"];
    expect(await ended(args, program(""))).toEqual({ code: 0, output: "value" });
  });
});
