/**
 * One node of the cluster under test: a `kvctl serve` of its own that is started again and again on
 * the same directory. Everything that it says on stderr goes to a file, and what no fault explains
 * is remembered: a process that ended by itself, a bug that it logged, a stack trace.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import type { Place } from "./links.ts";
import type { SlowSyncs } from "./slow-syncs.ts";

export interface NodeParts {
  readonly place: Place;
  readonly directory: string;
  readonly syncs: SlowSyncs;
  readonly logFile: string;
  /** The program and its first arguments, such as one that enters a namespace. */
  readonly program: readonly string[];
  /** Arguments of `serve`, without those that tell whom to join. */
  readonly flags: readonly string[];
}

/** Why a process that ends by itself, or fails to start, is right to do so. */
export type Excuse = "disk" | "descriptors" | "joining" | "leaving";

type State = "down" | "up" | "paused" | "gone";

/** Lines that only a bug writes. */
const alarming = /core\.failed|node\.damage|Unhandled|Uncaught|AssertionError|^\s+at .+:\d+:\d+/;
/** With which codes a node may end under which excuse. */
const mayEndWith: Readonly<Record<Excuse, RegExp>> = {
  disk: /^(LOG_FAILED|IO|DISK_FULL|WORKER|CLOSED)$/,
  descriptors: /^(LOG_FAILED|IO|RESOURCE_EXHAUSTED|WORKER|CLOSED)$/,
  joining: /^(SEED_UNREACHABLE|NODE_ID_IN_USE|NODE_UNKNOWN|TLS_FAILED)$/,
  leaving: /^(IDENTITY_MISMATCH)$/,
};

export class NodeProcess {
  readonly place: Place;
  readonly directory: string;
  /** How long its disk takes. */
  readonly syncs: SlowSyncs;
  /** What no fault explains. */
  readonly wrongs: string[] = [];
  /** Ends that were excused, in words. */
  readonly deaths: string[] = [];
  /** Its number in the ring, once it has told. */
  id: number | undefined;
  state: State = "down";
  /** Its first disk is gone for good. */
  wasWiped = false;
  readonly #parts: NodeParts;
  readonly #log: WriteStream;
  readonly #excuses = new Set<Excuse>();
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #isReady = false;
  #isHeld = false;
  #hasRun = false;
  /** Set when the end of the present process was asked for, with the code that it must have. */
  #expected: "any" | "clean" | undefined;
  #tail = "";
  #failure = { code: "", said: "" };

  constructor(parts: NodeParts) {
    this.place = parts.place;
    this.directory = parts.directory;
    this.syncs = parts.syncs;
    this.#parts = parts;
    this.#log = createWriteStream(parts.logFile, { flags: "a" });
    this.#log.on("error", () => undefined);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isReady(): boolean {
    return this.#isReady && this.state === "up";
  }

  /** It ended although nobody asked for that, and has not been started since. */
  get hasDied(): boolean {
    return this.state === "down" && this.#hasRun && this.#expected === undefined;
  }

  /** From now on such an end is no wrong. A process that lives on keeps its excuse. */
  excuse(why: Excuse): void {
    this.#excuses.add(why);
  }

  forgive(why: Excuse): void {
    this.#excuses.delete(why);
  }

  start(join: readonly string[]): void {
    if (this.#child !== undefined || this.#isHeld || this.state === "gone") return;
    const [program = "", ...first] = this.#parts.program;
    const more = join.length === 0 ? [] : ["--join", join.join(",")];
    // In a group of its own: an interrupt at the terminal is for whoever runs the nodes.
    const child = spawn(program, [...first, ...this.#parts.flags, ...more], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, KVCTL_DB: "", KVCTL_ENDPOINTS: "", NODE_OPTIONS: "" },
    });
    this.#child = child;
    this.#hasRun = true;
    this.state = "up";
    this.#isReady = false;
    this.#expected = undefined;
    this.#failure = { code: "", said: "" };
    this.#ended = new Promise((resolve) => {
      child.once("error", () => undefined);
      child.once("close", (code, signal) => {
        this.#closed({ code, signal });
        resolve();
      });
    });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#hear(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
  }

  /** As a power failure would end it. */
  async kill(): Promise<void> {
    this.#expected = "any";
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Asks it to end, and waits for at most so long before it is killed; that is a wrong. */
  async stop(msMax: number): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.resume();
    // Before it is ready nothing handles the signal, and the system ends it.
    this.#expected = this.#isReady ? "clean" : "any";
    child.kill("SIGTERM");
    const giveUp = setTimeout(() => {
      this.wrongs.push(`node ${this.place} did not end within ${msMax} ms of SIGTERM`);
      this.#expected = "any";
      child.kill("SIGKILL");
    }, msMax);
    await this.#ended;
    clearTimeout(giveUp);
  }

  pause(): void {
    if (this.state !== "up") return;
    this.#child?.kill("SIGSTOP");
    this.state = "paused";
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.#child?.kill("SIGCONT");
    this.state = "up";
  }

  /** It stands still, and is not started either, until it is released. */
  hold(): void {
    this.pause();
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
  }

  /** For good, and without waiting: the run ends now. */
  abandon(): void {
    this.#isHeld = true;
    this.#expected = "any";
    this.#child?.kill("SIGKILL");
    this.#log.end();
  }

  #write(text: string): void {
    if (!this.#log.writableEnded) this.#log.write(text);
  }

  #hear(text: string): void {
    this.#write(text);
    const [line = ""] = text.split("\n");
    try {
      const { id, ready } = JSON.parse(line) as { id?: number; ready?: boolean };
      this.id = id;
      this.#isReady = ready === true;
    } catch {
      this.wrongs.push(`node ${this.place} printed ${JSON.stringify(line.slice(0, 200))}`);
    }
  }

  #read(text: string): void {
    this.#write(text);
    const lines = (this.#tail + text).split("\n");
    this.#tail = lines.pop() ?? "";
    for (const line of lines) {
      const code = /^\{"error":.*"code":"(\w+)"/.exec(line)?.[1];
      if (code !== undefined) this.#failure = { code, said: line.slice(0, 600) };
      if (alarming.test(line)) this.wrongs.push(`node ${this.place} says ${line.slice(0, 400)}`);
    }
  }

  #closed({ code, signal }: { code: number | null; signal: NodeJS.Signals | null }): void {
    const hasLeft = code === 0 && this.#excuses.has("leaving") && this.#expected === undefined;
    const { code: failure, said } = this.#failure;
    const how = `${failure === "" ? "" : `${failure}, `}code ${code}, signal ${signal}`;
    const isExcused = [...this.#excuses].some((excuse) => mayEndWith[excuse].test(failure));
    const isClean = code === 0 && signal === null;
    const isRight =
      hasLeft || this.#expected === "any" || isExcused || (isClean && this.#expected === "clean");
    if (!isRight) this.wrongs.push(`node ${this.place} ended: ${how} ${said}`.trim());
    else if (isExcused) this.deaths.push(`node ${this.place} ended: ${how}`);
    this.#write(`--- ended: ${how}\n`);
    this.#child = undefined;
    this.#isReady = false;
    const isRefused = failure === "IDENTITY_MISMATCH" && this.#excuses.has("leaving");
    this.state = hasLeft || isRefused ? "gone" : "down";
  }
}
