/**
 * One run: a cluster of real processes does all workloads while faults strike by a seed, is healed,
 * has to come together within a bounded time, and is judged. Everything that a run starts or mounts
 * is gone when it ends, however it ends.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Random } from "../../src/core/random.ts";
import { Cluster, copies, type Door, isWell } from "./cluster.ts";
import { type Ability, examine, type Finding } from "./doctor.ts";
import { gather, settle } from "./ending.ts";
import { type CallCounts, countsOf, History, type HistoryWrite } from "./history.ts";
import { judge } from "./judge.ts";
import type { Kind, Scene } from "./kind.ts";
import { kinds } from "./kinds.ts";
import { callMsMax, Lanes, until, wait } from "./lanes.ts";
import { Mending } from "./mending.ts";
import { openHub } from "./namespaces.ts";
import { type Strike, scheduleOf, streamOf } from "./schedule.ts";
import { Undoing } from "./undoing.ts";
import { mountImage, mountMemory } from "./volumes.ts";

export interface NemesisOptions {
  readonly seed: number;
  /** How long faults last. */
  readonly seconds: number;
  readonly nodes: number;
  /** The folder of the built package. */
  readonly package: string;
  /** Kinds of faults that are left out. */
  readonly without: readonly string[];
  /** Faults come so many times as often as usual. */
  readonly pace: number;
  /** With TLS, and everybody proves who they are. */
  readonly isClosed: boolean;
  /** The namespace that this process runs in, if it is one that was made for it. */
  readonly hub?: string | undefined;
  /** Keep the logs, the history and the nodes' directories there. */
  readonly keep?: string | undefined;
  readonly settleMsMax: number;
  /** Told what happens as it happens. */
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly seed: number;
  readonly findings: readonly Finding[];
  readonly wrongs: readonly string[];
  /** How often each kind struck. */
  readonly strikes: Readonly<Record<string, number>>;
  /** Kinds that this machine does not offer. */
  readonly skipped: readonly string[];
  readonly deaths: readonly string[];
  readonly calls: CallCounts;
  readonly writes: Readonly<Record<HistoryWrite["outcome"], number>>;
  readonly settleMs: number;
  readonly keys: number;
}

const startMsMax = 90_000;
const superviseMs = 500;
const volumeBytes = { memory: 96 << 20, image: 384 << 20 };

export async function runNemesis(options: NemesisOptions): Promise<Outcome> {
  const undoing = new Undoing();
  try {
    const outcome = await new Run(options, undoing).run();
    undoing.all();
    return { ...outcome, wrongs: [...outcome.wrongs, ...undoing.failures] };
  } finally {
    undoing.all();
  }
}

class Run {
  readonly #options: NemesisOptions;
  readonly #undoing: Undoing;
  readonly #scratch: string;
  readonly #history: History;
  readonly #wrongs: string[] = [];
  readonly #strikes: Record<string, number> = {};
  readonly #beganAt = performance.now();

  constructor(options: NemesisOptions, undoing: Undoing) {
    this.#options = options;
    this.#undoing = undoing;
    this.#scratch = options.keep ?? mkdtempSync(join(tmpdir(), "everwrite-nemesis-"));
    const path = this.#scratch;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    undoing.add(`removing ${path}`, () => {
      if (options.keep !== undefined) return;
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
    });
    this.#history = new History(join(path, "history.ndjson"));
  }

  async run(): Promise<Outcome> {
    const { seed, seconds, without, pace, settleMsMax } = this.#options;
    const findings = examine(this.#scratch);
    const usable = this.#usable(findings);
    const chosen = kinds.filter(({ name }) => !without.includes(name));
    const isOffered = ({ needs }: Kind): boolean => needs.every((ability) => usable.has(ability));
    const place = pathToFileURL(join(this.#options.package, "src", "index.js"));
    const door = (await import(place.href)) as Door;
    const [scene, history, wrongs] = [await this.#open(door, usable), this.#history, this.#wrongs];
    const { cluster } = scene;
    this.#say("", `${cluster.nodes.length} nodes serve`);
    const undoing = this.#undoing;
    const lanes = await Lanes.start({ seed, cluster, door, history, undoing });
    const paced = chosen.filter(isOffered).map(({ name, everyMs }) => {
      return { name, everyMs: Math.max(1, Math.round(everyMs / pace)) };
    });
    const schedule = scheduleOf(seed, { ms: seconds * 1_000, kinds: paced });
    await this.#strikeAll(scene, schedule);
    this.#say("", "healing");
    const settleMs = await settle({ scene, lanes, history, wrongs, settleMsMax });
    this.#say("", `replicas agreed after ${settleMs} ms`);
    const parts = { door, package: this.#options.package };
    const evidence = await gather({ scene, history, wrongs }, parts);
    history.close();
    wrongs.push(...judge({ door, writes: history.writes, ...evidence }), ...history.wrongs);
    for (const node of cluster.nodes) wrongs.push(...node.wrongs);
    const writes = { acked: 0, maybe: 0, failed: 0 };
    for (const { outcome } of history.writes) writes[outcome] += 1;
    return {
      ...{ seed, findings, settleMs, writes, strikes: this.#strikes },
      wrongs: [...new Set(wrongs)],
      skipped: chosen.filter((kind) => !isOffered(kind)).map(({ name }) => name),
      deaths: cluster.nodes.flatMap(({ deaths }) => deaths),
      calls: countsOf(history.calls),
      keys: evidence.reads.size,
    };
  }

  #usable(findings: readonly Finding[]): ReadonlySet<Ability> {
    const works = findings.filter(({ why }) => why === undefined).map(({ ability }) => ability);
    const usable = new Set(works);
    if (this.#options.hub === undefined) usable.delete("namespaces");
    // There addresses tell who dials.
    else usable.add("links");
    return usable;
  }

  async #open(door: Door, usable: ReadonlySet<Ability>): Promise<Scene> {
    const { seed, nodes: size, isClosed, hub: hubName } = this.#options;
    const [scratch, undoing] = [this.#scratch, this.#undoing];
    const hub = hubName === undefined ? undefined : openHub(hubName, undoing, true);
    const memory = usable.has("memory-disk")
      ? mountMemory(join(scratch, "memory"), volumeBytes.memory, undoing)
      : undefined;
    const image = usable.has("image")
      ? mountImage(join(scratch, "rack"), volumeBytes.image, undoing)
      : undefined;
    const cluster = new Cluster({
      ...{ package: this.#options.package, door, scratch, isClosed, hub, undoing },
      random: streamOf(seed, "places"),
      // The last has the small disk. As many as there are copies share one supply of power: of
      // some keys nothing is left but what they have synced.
      volumeOf: (place) => {
        if (place === size) return memory?.path;
        return place < size && place >= size - copies ? image?.path : undefined;
      },
    });
    const mending = new Mending((error) => this.#wrongs.push(`a mend failed: ${String(error)}`));
    for (let i = 0; i < size; i++) await cluster.add();
    const [founder, ...others] = cluster.nodes;
    for (const nodes of [founder === undefined ? [] : [founder], others]) {
      for (const node of nodes) cluster.start(node);
      const areReady = (): boolean => nodes.every(({ isReady }) => isReady);
      await until(areReady, { msMax: startMsMax, what: "nodes to serve" });
    }
    const client = await cluster.connect({ routing: "any", timeoutMs: callMsMax });
    undoing.add("closing a client", () => void client.close().catch(() => undefined));
    await cluster.until(client, { msMax: startMsMax, holds: (status) => isWell(status, size) });
    return { cluster, client, mending, isClosed, hub, memory, image, size };
  }

  async #strikeAll(scene: Scene, schedule: readonly Strike[]): Promise<void> {
    const { cluster } = scene;
    const beganAt = performance.now();
    const endsAt = beganAt + this.#options.seconds * 1_000;
    const supervisor = setInterval(() => {
      for (const node of cluster.nodes) if (node.hasDied) cluster.start(node);
    }, superviseMs);
    try {
      for (const { atMs, kind, random } of schedule) {
        await wait(beganAt + atMs - performance.now());
        // On a slow machine strikes take longer than their turn: what is late is left out.
        if (performance.now() > endsAt) break;
        const what = await this.#strike(scene, kind, random);
        if (what === "") continue;
        this.#strikes[kind] = (this.#strikes[kind] ?? 0) + 1;
        this.#say(kind, what);
      }
      await wait(endsAt - performance.now());
    } finally {
      clearInterval(supervisor);
    }
  }

  /** What was done. A fault that could not be made shows that the run is not what it seems. */
  async #strike(scene: Scene, name: string, random: Random): Promise<string> {
    try {
      return (await kinds.find((one) => one.name === name)?.strike(scene, random)) ?? "";
    } catch (error) {
      this.#wrongs.push(`the fault ${name} could not be made: ${String(error)}`);
      return "";
    }
  }

  #say(what: string, more: string): void {
    const at = ((performance.now() - this.#beganAt) / 1_000).toFixed(1);
    this.#history.say({ fault: what, atMs: this.#history.nowMs, more });
    this.#options.say(`${at.padStart(6)} s  ${what.padEnd(11)} ${more}`);
  }
}
