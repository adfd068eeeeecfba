/**
 * demo: a real cluster of separate processes does its main job. It takes load, loses a node to
 * kill -9, goes on, gets the node back, and shows that all replicas agree. The exit code is 0 only
 * if all of that holds. Nodes and directories are gone afterwards, however it ends.
 */
import { join } from "node:path";
import type { Client } from "../../../src/client/api.ts";
import { connect } from "../../../src/client/client.ts";
import type { RingState, Status } from "../../../src/index.ts";
import { CommandError, exits, usage } from "../../exit.ts";
import { makeScratch } from "../../files.ts";
import type { Invocation } from "../../invocation.ts";
import { count, duration, plural, rate } from "../../units.ts";
import { type City, cityCount, loadCities } from "../cities.ts";
import { createStory, type Story } from "../story.ts";
import { type Expected, importAll, newTally, readAll, type Tally, writeOn } from "./load.ts";
import { NodeProcess } from "./node-process.ts";
import { agreementOf, exportOf } from "./replicas.ts";
import { type Scene, showScene } from "./screen.ts";

const copies = 3;
const nodesMax = 9;
const writesWithoutNodeMax = 20_000;
const pollMs = 200;
const settleMsMax = 60_000;

export async function clusterDemo(invocation: Invocation): Promise<number> {
  const { output, options } = invocation;
  const length = numberOf(options, "nodes", { min: copies, max: nodesMax, usual: copies });
  const records = numberOf(options, "records", { min: 100, max: cityCount, usual: cityCount });
  const scratch = makeScratch();
  const nodes = Array.from({ length }, (_, i) => new NodeProcess(join(scratch.path, `n${i + 1}`)));
  const keep = options["keep"] === true;
  const leave = (): void => {
    for (const node of nodes) node.abandon();
    if (!keep) scratch.remove();
  };
  // Also when something calls process.exit, as an interrupt does.
  process.on("exit", leave);
  process.once("SIGTERM", () => process.exit(exits.interrupted));
  const story = createStory(output);
  const scene: Scene = {
    act: "",
    share: undefined,
    tally: newTally(),
    earlier: { writes: 0, reads: 0 },
    ring: undefined,
    status: undefined,
  };
  const started = performance.now();
  const screen = showScene(output, scene);
  try {
    await new ClusterStory({ story, scene, nodes, records }).tell();
    screen.stop();
    await story.end(Math.round(performance.now() - started));
    if (keep) output.note(`the nodes' directories are in ${scratch.path}`);
    return story.failures.length === 0 ? exits.ok : exits.failure;
  } finally {
    screen.stop();
    for (const node of nodes) await node.kill();
    process.off("exit", leave);
    leave();
  }
}

/** A whole number of the option's name, within bounds. */
function numberOf(
  options: Invocation["options"],
  name: string,
  bounds: { readonly min: number; readonly max: number; readonly usual: number },
): number {
  const text = options[name];
  const number = text === undefined ? bounds.usual : Number(text);
  if (Number.isInteger(number) && number >= bounds.min && number <= bounds.max) return number;
  throw usage(`--${name} is from ${bounds.min} to ${bounds.max}, got ${String(text)}`);
}

class ClusterStory {
  readonly #story: Story;
  readonly #scene: Scene;
  readonly #nodes: readonly NodeProcess[];
  readonly #records: number;
  readonly #expected: Expected = new Map();

  constructor(parts: {
    readonly story: Story;
    readonly scene: Scene;
    readonly nodes: readonly NodeProcess[];
    readonly records: number;
  }) {
    this.#story = parts.story;
    this.#scene = parts.scene;
    this.#nodes = parts.nodes;
    this.#records = parts.records;
  }

  async tell(): Promise<void> {
    await this.#story.say(
      `Everwrite, a cluster of ${this.#nodes.length} processes: each record on ${copies} of ` +
        "them, no leader, always writeable.",
    );
    const { cities: all, note } = await loadCities();
    if (note !== undefined) await this.#story.say(note);
    const cities = all.slice(0, this.#records);
    await this.#start();
    const [first, second] = this.#nodes as [NodeProcess, NodeProcess];
    const last = this.#nodes.at(-1) as NodeProcess;
    await using client = await connect(first.address, { routing: "any" });
    const watch = this.#watch(client);
    try {
      await this.#import(client, cities);
      await this.#read(second);
      await this.#lose(last, cities);
      await this.#comeBack(client, last);
    } finally {
      await watch.stop();
    }
    await this.#compare();
  }

  async #start(): Promise<void> {
    this.#scene.act = "starting";
    const started = performance.now();
    const [first, ...others] = this.#nodes as [NodeProcess, ...NodeProcess[]];
    await first.start(undefined);
    await Promise.all(others.map((node) => node.start(first.address)));
    await using client = await connect(first.address);
    const isWhole = await this.#until(client, ({ nodes, transfers, underReplicated }) => {
      return nodes.length === this.#nodes.length && transfers === 0 && underReplicated === 0;
    });
    const ms = performance.now() - started;
    await this.#story.check(isWhole, {
      name: "started",
      right: `${this.#nodes.length} nodes share ${this.#partitions()} in ${duration(ms)}`,
      wrong: `the nodes do not share the ring after ${duration(ms)}`,
    });
  }

  async #import(client: Client, cities: readonly City[]) {
    const tally = this.#begin("importing through node 1", (now) => now.writes / cities.length);
    const started = performance.now();
    await importAll(client, cities, { expected: this.#expected, tally });
    const ms = performance.now() - started;
    await this.#story.check(tally.writes === cities.length, {
      name: "imported",
      right:
        `${plural(tally.writes, "record")} through one node in ${duration(ms)}, ` +
        rate(tally.writes, ms),
      wrong: `only ${count(tally.writes)} of ${count(cities.length)}; ${tally.said.join("; ")}`,
    });
  }

  async #read(through: NodeProcess): Promise<void> {
    const total = this.#expected.size;
    const tally = this.#begin("reading all of it through node 2", (now) => now.reads / total);
    await using client = await connect(through.address, { routing: "any" });
    const started = performance.now();
    await readAll(client, this.#expected, tally);
    const ms = performance.now() - started;
    await this.#story.check(tally.reads === total && tally.wrong + tally.errors === 0, {
      name: "read",
      right: `all of it through another, each byte compared: ${duration(ms)}, ${rate(total, ms)}`,
      wrong: `${count(tally.wrong)} wrong, ${count(tally.errors)} failed; ${tally.said.join("; ")}`,
    });
  }

  /** The node dies in the middle of the load, and stays away while it goes on. */
  async #lose(node: NodeProcess, cities: readonly City[]) {
    const total = Math.min(writesWithoutNodeMax, cities.length);
    const tally = this.#begin("one node is dead; writing on", (now) => now.writes / total);
    await using client = await connect(this.#nodes.map(({ address }) => address));
    const started = performance.now();
    const expected = this.#expected;
    const load = writeOn(client, cities, { expected, tally, count: total });
    while (tally.writes < total / 20 && tally.errors === 0) await pause(1);
    const before = tally.writes;
    await node.kill();
    await load;
    const ms = performance.now() - started;
    const isRight = tally.errors + tally.wrong === 0 && tally.writes === total && before < total;
    await this.#story.check(isRight, {
      name: "kill -9",
      right:
        `of a node under load: ${count(tally.writes)} writes and ${count(tally.reads)} reads, ` +
        `no error, in ${duration(ms)}`,
      wrong: `${count(tally.errors)} failed, ${count(tally.wrong)} wrong; ${tally.said.join("; ")}`,
    });
  }

  async #comeBack(client: Client, node: NodeProcess): Promise<void> {
    const hints = (await statusOf(client)).hintsPending;
    this.#begin("the dead node is back, and hears what it missed", undefined);
    const started = performance.now();
    await node.start(undefined);
    const isWhole = await this.#until(client, (status) => {
      return (
        status.hintsPending === 0 &&
        status.rootsAgree &&
        status.rebuilding === 0 &&
        status.nodes.every(({ live }) => live)
      );
    });
    const ms = performance.now() - started;
    await this.#story.check(isWhole, {
      name: "back",
      right:
        `${plural(hints, "hint")} delivered, and all Merkle roots agree, ` +
        `after ${duration(ms)}`,
      wrong: `after ${duration(ms)}: ${JSON.stringify(this.#scene.status)}`,
    });
  }

  async #compare(): Promise<void> {
    this.#begin("stopping all nodes, and comparing their directories", undefined);
    const codes = await Promise.all(this.#nodes.map((node) => node.stop()));
    await this.#story.check(
      codes.every((code) => code === 0),
      {
        name: "stopped",
        right: "each node finished what was under way and closed, exit 0",
        wrong: `exit codes ${codes.join(", ")}`,
      },
    );
    const replicas = await Promise.all(this.#nodes.map(({ directory }) => exportOf(directory)));
    const { unequal, wrong, keys } = agreementOf(replicas, { copies, expected: this.#expected });
    const digests = new Set(replicas.map(({ digest }) => digest.slice(0, 16)));
    const same =
      this.#nodes.length === copies
        ? `byte for byte, SHA-256 ${[...digests].join()}…`
        : `each on exactly ${copies} nodes, byte for byte`;
    const isSame = this.#nodes.length > copies || digests.size === 1;
    await this.#story.check(isSame && unequal === 0 && wrong === 0 && keys > 0, {
      name: "compared",
      right: `${count(keys)} keys with values and versions are the same: ${same}`,
      wrong: `${plural(unequal, "key")} differ, ${plural(wrong, "key")} are not as written`,
    });
  }

  #begin(act: string, share: ((now: Tally) => number) | undefined): Tally {
    const { tally: before, earlier } = this.#scene;
    const tally = newTally();
    this.#scene.earlier = {
      writes: earlier.writes + before.writes,
      reads: earlier.reads + before.reads,
    };
    this.#scene.tally = tally;
    this.#scene.act = act;
    this.#scene.share = share === undefined ? undefined : () => share(tally);
    return tally;
  }

  /** Keeps the picture's status and ring fresh. */
  #watch(client: Client): { stop(): Promise<void> } {
    let isStopped = false;
    const run = async (): Promise<void> => {
      while (!isStopped) {
        await this.#look(client).catch(() => {});
        await pause(pollMs);
      }
    };
    const running = run();
    return {
      stop: () => {
        isStopped = true;
        return running;
      },
    };
  }

  async #look(client: Client): Promise<Status> {
    this.#scene.ring = (await client.admin("ring")) as RingState;
    const status = await statusOf(client);
    this.#scene.status = status;
    return status;
  }

  /** False when it does not come to that in time. */
  async #until(client: Client, holds: (status: Status) => boolean): Promise<boolean> {
    const until = performance.now() + settleMsMax;
    while (performance.now() < until) {
      try {
        if (holds(await this.#look(client))) return true;
      } catch (error) {
        if (error instanceof CommandError) throw error;
      }
      await pause(pollMs / 2);
    }
    return false;
  }

  #partitions(): string {
    return plural(this.#scene.ring?.owners.length ?? 0, "partition");
  }
}

async function statusOf(client: Client): Promise<Status> {
  return (await client.admin("status")) as Status;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
