/**
 * Runs the built kvctl as a user does, in a directory of its own that is removed afterwards. Where
 * the process is not what a test is about, `kvctlHere` does the same in this one: a process costs
 * ten times as much as what most commands do.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { onTestFinished } from "vitest";
import { runProgram } from "../../bin/program.ts";
import { root } from "../support/sources.ts";

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout before it was decoded. */
  readonly bytes: Buffer;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

// What the environment of the tests names is not meant for the kvctl that they run.
Object.assign(process.env, { KVCTL_DB: "", KVCTL_ENDPOINTS: "" });

export const kvctlPath = join(root, "dist", "bin", "kvctl.js");

export function kvctl(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(process.execPath, [kvctlPath, ...args], {
    env: { ...process.env, ...options.env },
  });
  // One that waits for ever must not outlive its test.
  const giveUp = setTimeout(() => child.kill("SIGKILL"), 110_000);
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const out: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(giveUp);
      const bytes = Buffer.concat(out);
      resolve({ code, stdout: bytes.toString("utf8"), stderr, bytes });
    });
  });
}

/** Without standard input; what belongs to a process, as its signals, is this one's. */
export async function kvctlHere(args: readonly string[]): Promise<Ran> {
  const [stdout, stderr] = [new Kept(), new Kept()];
  const code = await runProgram(args, { stdout, stderr });
  const { bytes } = stdout;
  return { code, stdout: bytes.toString("utf8"), stderr: stderr.bytes.toString("utf8"), bytes };
}

class Kept extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** A directory for one test. */
export function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), "everwrite-cli-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** kvctl on a new database: `run("put", "a", "b")`. */
export function newDatabase(): {
  readonly path: string;
  run(...args: string[]): Promise<Ran>;
  feed(input: string | Uint8Array, ...args: string[]): Promise<Ran>;
} {
  const path = join(scratch(), "data");
  return {
    path,
    run: (...args) => kvctl(["--db", path, ...args]),
    feed: (input, ...args) => kvctl(["--db", path, ...args], { input }),
  };
}
