/** Starts the demo's writer, lets it write for a moment, and kills it in the middle of a write. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Engine } from "../../native-free-engine/index.ts";
import { recordKey, recordValue } from "./records.ts";

export interface Crash {
  /** Numbers of the records whose puts were acknowledged. */
  readonly acknowledged: readonly number[];
  /** Killed by us, and not ended by itself. */
  readonly isKilled: boolean;
}

export interface CrashPlan {
  readonly directory: string;
  readonly first: number;
  /** Killed once so many are acknowledged and this time is over. */
  readonly least: number;
  readonly ms: number;
}

/** A writer that does not even begin is given up after this time. */
const patienceMs = 20_000;

export function writeAndKill({ directory, first, least, ms }: CrashPlan): Promise<Crash> {
  const script = fileURLToPath(new URL("./writer.js", import.meta.url));
  const child = spawn(process.execPath, [script, directory, `${first}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return new Promise((resolve, reject) => {
    let said = "";
    let lines = 0;
    let started = 0;
    const giveUp = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    child.stdout.setEncoding("latin1");
    child.stdout.on("data", (text: string) => {
      said += text;
      started ||= performance.now();
      for (const character of text) if (character === "\n") lines += 1;
      if (lines >= least && performance.now() - started >= ms) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", (_code, signal) => {
      clearTimeout(giveUp);
      // What follows the last line feed may be half a number.
      const acknowledged = said.split("\n").slice(0, -1).map(Number);
      resolve({ acknowledged, isKilled: signal === "SIGKILL" && lines >= least });
    });
  });
}

/** Acknowledged records that are not there, or not to the byte. */
export async function lostRecords(engine: Engine, numbers: readonly number[]): Promise<number[]> {
  const lost: number[] = [];
  for (const n of numbers) {
    const value = await engine.get(recordKey(n));
    if (value === undefined || Buffer.compare(value, recordValue(n)) !== 0) lost.push(n);
  }
  return lost;
}

/** Records that nobody wrote as they are: every one that is there must be whole. */
export async function wrongRecords(engine: Engine): Promise<number> {
  let wrong = 0;
  for await (const [key, value] of engine.scan({ gte: "visit/", lt: "visit0" })) {
    const n = Number(Buffer.from(key).toString("latin1").slice("visit/".length));
    if (Buffer.compare(value, recordValue(n)) !== 0) wrong += 1;
  }
  return wrong;
}
