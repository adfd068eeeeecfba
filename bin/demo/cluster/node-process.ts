/** One node of the demo's cluster: a `kvctl serve` of its own, as real as any. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CommandError } from "../../exit.ts";

const kvctlPath = fileURLToPath(new URL("../../kvctl.js", import.meta.url));
/** What it said last, for the case that it does not start. */
const keptCharacters = 4096;
const startMsMax = 30_000;
const stopMsMax = 30_000;

export class NodeProcess {
  readonly directory: string;
  /** Known once it has started for the first time, and kept. */
  address = "";
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  #said = "";

  constructor(directory: string) {
    this.directory = directory;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Resolves once it serves. Without a node to join it founds the cluster, or comes back to it. */
  async start(join: string | undefined): Promise<void> {
    const listen = ["--listen", this.address === "" ? "127.0.0.1:0" : this.address];
    const others = join === undefined ? [] : ["--join", join];
    const args = ["serve", "--json", "--log-level", "warn", "--data", this.directory];
    const child = spawn(process.execPath, [kvctlPath, ...args, ...listen, ...others], {
      stdio: ["ignore", "pipe", "pipe"],
      // An interrupt at the terminal is for the demo, which then stops its nodes itself.
      detached: true,
    });
    this.#child = child;
    this.#said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-keptCharacters);
    });
    this.#ended = new Promise((resolve) => {
      child.on("error", () => resolve(null));
      child.on("close", (code) => {
        if (this.#child === child) this.#child = undefined;
        resolve(code);
      });
    });
    this.address = await this.#ready(child);
  }

  /** As a power failure or the kernel would end it. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Its exit code: 0 when it closed as it should, none when it had to be killed. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    child?.kill("SIGTERM");
    const giveUp = setTimeout(() => child?.kill("SIGKILL"), stopMsMax);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(giveUp);
    }
  }

  /** Without waiting: the demo ends now. */
  abandon(): void {
    this.#child?.kill("SIGKILL");
  }

  #ready(child: ChildProcess): Promise<string> {
    return new Promise((resolve, reject) => {
      const giveUp = setTimeout(() => child.kill("SIGKILL"), startMsMax);
      let line = "";
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        line += text;
        if (!line.includes("\n")) return;
        clearTimeout(giveUp);
        resolve((JSON.parse(line) as { address: string }).address);
      });
      void this.#ended.then(() => {
        clearTimeout(giveUp);
        const said = this.#said.trim();
        reject(new CommandError("DEMO_NODE", `a node of the demo did not start: ${said}`));
      });
    });
  }
}
