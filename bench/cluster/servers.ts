/**
 * Server processes: started on free ports of the loopback, given time to become ready, and ended
 * whatever happens: at a signal to the benchmark, at its exit, and after each use.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { createServer, connect as dial } from "node:net";
import { delimiter, join } from "node:path";
import { onExit } from "../cleanup.ts";

export interface Server {
  readonly pid: number;
  /** The first line of stdout. */
  readonly firstLine: Promise<string>;
  /** Sends a signal and waits for the end; SIGKILL where that takes too long. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface ServerRequest {
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
}

const stopMsMax = 5_000;
const readyMsMax = 30_000;
const pollMs = 50;
const linesKept = 5;

export function startServer({ command, args, directory }: ServerRequest): Server {
  const child = spawn(command, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  const kill = (): void => void child.kill("SIGKILL");
  const forget = onExit(kill);
  const said = linesOf(child);
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      forget();
      resolve();
    });
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (text: string) => resolve(text.split("\n", 1)[0] ?? ""));
    child.once("error", reject);
    child.once("close", () => reject(new Error(`${command} ended: ${said().join("; ")}`)));
  });
  // Most servers say nothing that anybody waits for.
  firstLine.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    firstLine,
    stop: async (signal = "SIGTERM") => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      // One that was stopped by SIGSTOP hears nothing else.
      const limit = setTimeout(kill, stopMsMax);
      await ended;
      clearTimeout(limit);
    },
  };
}

/** Several servers of one store. */
export async function stopAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}

/** Nobody has them now; between this and their use somebody might, which then fails loudly. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            resolve(typeof address === "object" && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Asks until the answer is yes; throws what went wrong last when it takes too long. */
export async function untilReady(what: string, isReady: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + readyMsMax;
  for (;;) {
    let why = "";
    try {
      if (await isReady()) return;
    } catch (error) {
      why = error instanceof Error ? `: ${error.message}` : "";
    }
    if (performance.now() > until) throw new Error(`${what} is not ready${why}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Sends one line and gives back what comes within a moment; for text protocols. */
export function askLine(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = dial(port, "127.0.0.1", () => socket.write(`${line}\r\n`));
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
      socket.end();
    });
    socket.on("error", reject).on("close", () => resolve(answer));
  });
}

/** Whether a command is on the PATH. */
export function isInstalled(command: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Reads what a process says, so that it is never held up by it; keeps the last lines. */
function linesOf(child: ChildProcess): () => readonly string[] {
  let kept: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      const lines = text.split("\n").filter((line) => line !== "");
      kept = [...kept, ...lines].slice(-linesKept);
    });
  }
  return () => kept;
}
