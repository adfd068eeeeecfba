/**
 * One writer per directory: among calls, threads and processes, however the holder ends.
 * The processes run the lock's own sources, translated into a scratch directory.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import ts from "typescript";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decodeLockRecord, encodeLockRecord } from "../../native-free-engine/disk/lock-record.ts";
import { lockDirectory } from "../../native-free-engine/disk/node-lock.ts";
import { coded } from "./disk-texts.ts";

const engine = fileURLToPath(new URL("../../native-free-engine/", import.meta.url));
const sources = ["disk/node-lock", "disk/lock-record", "disk/locked", "errors", "system-clock"];

/** Locks, tells what came of it in one line, and releases when told to. */
const actor = `
import cluster from "node:cluster";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { lockDirectory } from "./disk/node-lock.js";
const [directory, mode] = isMainThread ? process.argv.slice(2) : workerData;
if (mode.includes("socketless")) Object.defineProperty(process, "platform", { value: "darwin" });
const tell = (said) => {
  if (!isMainThread) parentPort.postMessage(said);
  else process.stdout.write(JSON.stringify(said) + "\\n");
};
if (mode.includes("cluster") && cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
} else {
  try {
    const lock = await lockDirectory(directory);
    tell({ code: "HELD", message: "" });
    const end = async () => {
      await lock.release();
      if (isMainThread) process.exit();
      parentPort.close();
    };
    if (!isMainThread) parentPort.once("message", end);
    else if (cluster.isWorker) process.once("message", end);
    else if (!mode.includes("idle")) process.stdin.once("data", end);
  } catch (error) {
    tell({ code: error.code, message: error.message });
    if (cluster.isWorker) process.disconnect();
  }
}
`;

interface Said {
  readonly code: string;
  readonly message: string;
}

let scratch: string;
let directory: string;
let made = 0;
let children: ChildProcess[] = [];
let workers: Worker[] = [];

beforeAll(() => {
  scratch = fs.mkdtempSync(join(os.tmpdir(), "everwrite-lock-"));
  // Another user has to get at the sources.
  fs.chmodSync(scratch, 0o755);
  fs.mkdirSync(join(scratch, "disk"));
  for (const source of sources) {
    const compilerOptions = {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
    };
    const text = fs.readFileSync(`${engine}${source}.ts`, "utf8");
    const { outputText } = ts.transpileModule(text, { compilerOptions });
    const script = outputText.replace(/(from "\.[^"]*)\.ts"/g, '$1.js"');
    fs.writeFileSync(join(scratch, `${source}.js`), script);
  }
  fs.writeFileSync(join(scratch, "package.json"), '{ "type": "module" }');
  fs.writeFileSync(join(scratch, "actor.js"), actor);
});

beforeEach(() => {
  directory = join(scratch, `db${made++}`);
  fs.mkdirSync(directory);
});

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(workers.map((worker) => worker.terminate()));
  children = [];
  workers = [];
});

afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

function lockPath(): string {
  return join(directory, "LOCK");
}

async function startProcess(mode: string, uid?: number): Promise<[ChildProcess, Said]> {
  const child = spawn(process.execPath, [join(scratch, "actor.js"), directory, mode], {
    stdio: ["pipe", "pipe", "inherit"],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  children.push(child);
  const [line] = await once(child.stdout ?? child, "data");
  return [child, JSON.parse(`${line}`.split("\n")[0] ?? "")];
}

async function startThread(mode: string): Promise<[Worker, Said]> {
  const worker = new Worker(join(scratch, "actor.js"), { workerData: [directory, mode] });
  workers.push(worker);
  const [said] = await once(worker, "message");
  return [worker, said];
}

describe("in one process", () => {
  test("a second lock is refused, by whatever path, until the first is released", async () => {
    const lock = await lockDirectory(directory);
    const alias = `${directory}-alias`;
    fs.symlinkSync(directory, alias);
    for (const path of [directory, `${directory}/`, alias]) {
      await expect(lockDirectory(path)).rejects.toThrow(coded("LOCKED"));
      await expect(lockDirectory(path)).rejects.toThrow(`this very process (${process.pid})`);
    }
    await lock.release();
    await (await lockDirectory(alias)).release();
  });

  test("of locks asked for at once, one is had", async () => {
    const asked = await Promise.allSettled(
      Array.from({ length: 5 }, () => lockDirectory(directory)),
    );
    const had = asked.filter((one) => one.status === "fulfilled");
    expect(had.length).toBe(1);
    await had[0]?.value.release();
  });

  test("releasing twice is fine, and the second takes nothing from the next holder", async () => {
    const lock = await lockDirectory(directory);
    await lock.release();
    expect(fs.existsSync(lockPath())).toBe(false);
    const next = await lockDirectory(directory);
    await lock.release();
    expect(fs.existsSync(lockPath())).toBe(true);
    await expect(lockDirectory(directory)).rejects.toThrow(coded("LOCKED"));
    await next.release();
  });

  test("the file tells who holds the lock", async () => {
    const lock = await lockDirectory(directory);
    const record = decodeLockRecord(fs.readFileSync(lockPath(), "utf8"));
    expect(record).toMatchObject({ pid: process.pid, hostname: os.hostname() });
    await lock.release();
  });

  test("what is no directory cannot be locked", async () => {
    fs.writeFileSync(join(directory, "file"), "");
    for (const path of ["none", "file", "file/none"]) {
      const locking = lockDirectory(join(directory, path));
      await expect(locking).rejects.toThrow(coded("DIRECTORY_INVALID"));
    }
  });
});

for (const mode of ["sockets", "socketless"]) {
  describe(`between processes, ${mode}`, () => {
    const { platform } = process;
    beforeEach(() => {
      if (mode === "socketless") Object.defineProperty(process, "platform", { value: "darwin" });
    });
    afterEach(() => {
      Object.defineProperty(process, "platform", { value: platform });
    });

    test("the refusal names the holder, and its killing frees the lock at once", async () => {
      const [child, said] = await startProcess(mode);
      expect(said.code).toBe("HELD");
      const refusal = await lockDirectory(directory).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: "LOCKED" });
      expect(`${refusal}`).toContain(`process ${child.pid} on ${os.hostname()} has had it open`);
      child.kill("SIGKILL");
      await once(child, "exit");
      expect(fs.existsSync(lockPath())).toBe(true);
      const lock = await lockDirectory(directory);
      expect(fs.readdirSync(directory)).toEqual(["LOCK"]);
      await lock.release();
    });

    test("another process is refused while this one holds the lock", async () => {
      const lock = await lockDirectory(directory);
      const [, said] = await startProcess(mode);
      expect(said.code).toBe("LOCKED");
      expect(said.message).toContain(`process ${process.pid} on`);
      await lock.release();
      const [child, then] = await startProcess(mode);
      expect(then.code).toBe("HELD");
      child.stdin?.write("release\n");
      await once(child, "exit");
      expect(fs.readdirSync(directory)).toEqual([]);
    });

    test("of threads that find a leftover together, one takes it over", async () => {
      const boot = { bootId: "an earlier boot", namespace: "" };
      writeRecord({ ...boot, hostname: os.hostname(), pid: process.pid });
      const all = await Promise.all(Array.from({ length: 4 }, () => startThread(mode)));
      const codes = all.map(([, said]) => said.code).sort();
      expect(codes).toEqual(["HELD", "LOCKED", "LOCKED", "LOCKED"]);
    });

    test("leftovers of the dead, of another boot and of nobody keep no one out", async () => {
      const hostname = os.hostname();
      const own = await ownRecord();
      const leftovers = [
        "",
        "\0\0\0\0",
        "{",
        "null",
        '{"pid":1}',
        "x".repeat(10_000),
        encodeLockRecord({ ...own, pid: 2 ** 30 }),
        encodeLockRecord({ ...own, bootId: "an earlier boot", pid: process.pid }),
        encodeLockRecord({ ...own, startTime: "1", namespace: "another" }),
      ];
      for (const leftover of leftovers) {
        fs.writeFileSync(lockPath(), leftover);
        const lock = await lockDirectory(directory);
        expect(decodeLockRecord(fs.readFileSync(lockPath(), "utf8"))).toMatchObject({ hostname });
        await lock.release();
        expect(fs.readdirSync(directory)).toEqual([]);
      }
    });

    test("a holder on another host is believed, and the way out is named", async () => {
      writeRecord({ hostname: "elsewhere", bootId: "its boot", namespace: "", pid: 7 });
      for (let attempt = 1; attempt <= 2; attempt++) {
        const refusal = await lockDirectory(directory).catch((error: unknown) => error);
        expect(refusal).toMatchObject({ code: "LOCKED" });
        expect(`${refusal}`).toContain("process 7 on elsewhere");
        expect(`${refusal}`).toContain(`remove ${lockPath()}`);
      }
      fs.unlinkSync(lockPath());
      await (await lockDirectory(directory)).release();
    });
  });
}

test("threads exclude each other, and a terminated one lets go", async () => {
  const [worker, said] = await startThread("sockets");
  expect(said.code).toBe("HELD");
  await expect(lockDirectory(directory)).rejects.toThrow(`this very process (${process.pid})`);
  await worker.terminate();
  await (await lockDirectory(directory)).release();
});

test("the workers of a cluster exclude each other", async () => {
  const child = spawn(process.execPath, [join(scratch, "actor.js"), directory, "cluster"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  while (output.split("\n").length < 3) await once(child.stdout, "data");
  const codes = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).code);
  expect(codes.sort()).toEqual(["HELD", "LOCKED"]);
});

test("a lock keeps no process alive", async () => {
  const [child, said] = await startProcess("idle");
  expect(said.code).toBe("HELD");
  const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
  expect(code).toBe(0);
  await (await lockDirectory(directory)).release();
});

test("a directory without the right to write is refused with a reason", async () => {
  fs.chmodSync(directory, 0o555);
  const isRoot = process.getuid?.() === 0;
  const [, said] = await startProcess("sockets", isRoot ? 65534 : undefined);
  expect(said.code).toBe("DIRECTORY_INVALID");
  expect(said.message).toContain("EACCES");
  expect(said.message).toContain("open it readOnly");
});

async function ownRecord() {
  const lock = await lockDirectory(directory);
  const record = decodeLockRecord(fs.readFileSync(lockPath(), "utf8"));
  await lock.release();
  if (record === undefined) throw new Error("a holder's record cannot be decoded");
  return record;
}

function writeRecord(about: {
  hostname: string;
  bootId: string;
  namespace: string;
  pid: number;
}): void {
  const record = { ...about, startTime: "", since: 0, nonce: "leftover" };
  fs.writeFileSync(lockPath(), encodeLockRecord(record));
}
