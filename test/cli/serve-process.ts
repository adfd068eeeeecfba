/** Real `kvctl serve` processes for tests, on free ports and in directories that go away. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kvctl, kvctlHere, kvctlPath, type Ran } from "./run-kvctl.ts";

export interface ServeProcess {
  readonly address: string;
  readonly id: number;
  readonly child: ChildProcess;
  /** All of stderr until now. */
  stderr(): string;
  /** Resolves with the exit code once it has ended. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Rejects with what it said when it ends before it is ready. */
export function serve(args: readonly string[]): Promise<ServeProcess> {
  const child = spawn(process.execPath, [kvctlPath, "serve", "--json", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return new Promise((resolve, reject) => {
    let line = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      line += text;
      if (!line.includes("\n")) return;
      const [first = ""] = line.split("\n");
      const { address, id } = JSON.parse(first) as { address: string; id: number };
      const end = (signal: NodeJS.Signals): Promise<number | null> => {
        child.kill(signal);
        return ended;
      };
      resolve({ address, id, child, stderr: () => stderr, end });
    });
    void ended.then((code) => reject(new Error(`serve ended with ${code}: ${stderr}`)));
  });
}

export interface TestCluster {
  readonly nodes: readonly ServeProcess[];
  readonly directories: readonly string[];
  /** kvctl on the cluster, through its first node, in this process. */
  run(...args: string[]): Promise<Ran>;
  /** As a process, which has a standard input. */
  feed(input: string | Uint8Array, ...args: string[]): Promise<Ran>;
  close(): Promise<void>;
}

/** So many nodes that own the ring together by the time it resolves. */
export async function startCluster(size: number, ...args: string[]): Promise<TestCluster> {
  const path = mkdtempSync(join(tmpdir(), "everwrite-cluster-"));
  const directories = Array.from({ length: size }, (_, i) => join(path, `n${i + 1}`));
  const nodes: ServeProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
    rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  };
  const endpoints = (): string => nodes[0]?.address ?? "";
  const run = (...more: string[]): Promise<Ran> => kvctlHere(["-e", endpoints(), ...more]);
  const usual = ["--listen", "127.0.0.1:0", "--log-level", "error", "--durability", "os", ...args];
  try {
    for (const directory of directories) {
      const join = nodes.length === 0 ? [] : ["--join", endpoints()];
      nodes.push(await serve(["--data", directory, ...usual, ...join]));
    }
    await untilWhole(run, size);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    nodes,
    directories,
    run,
    feed: (input, ...more) => kvctl(["-e", endpoints(), ...more], { input }),
    close,
  };
}

async function untilWhole(run: TestCluster["run"], size: number): Promise<void> {
  const until = Date.now() + 60_000;
  let said = "";
  while (Date.now() < until) {
    const ran = await run("status", "--json");
    said = ran.stdout + ran.stderr;
    if (ran.stdout !== "") {
      const { nodes, transfers, underReplicated } = JSON.parse(ran.stdout);
      const isShared = transfers === 0 && (size < 3 || underReplicated === 0);
      if (nodes.length === size && isShared) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the cluster did not come together: ${said}`);
}
