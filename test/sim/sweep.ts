/**
 * One fault in one block of one file of one node, in a cluster of three that stands still: the node
 * repairs it or says so, and nobody ever shows a wrong value for it. Each fault is tried on the
 * same cluster, whose three disks are put back before.
 */
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { isEngineError } from "../../native-free-engine/errors.ts";
import type { Engine } from "../../native-free-engine/index.ts";
import { salvageOn } from "../../native-free-engine/salvage.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { distrust } from "../../src/store/distrust.ts";
import { EngineClock } from "./clocks.ts";
import { databaseDirectory, type Image, newIdentity, openDatabase } from "./host.ts";
import { versionsAt } from "./inspect.ts";
import { get, put } from "./story.ts";
import { textOf } from "./workload.ts";
import { World } from "./world.ts";

export const blockBytes = 512;
/** The node whose disk is hurt; the third was away while the last keys were written. */
export const victim: NodeId = 3;
const absent: NodeId = 2;
const keys = Array.from({ length: 48 }, (_, i) => `key ${i}`);

export type FaultKind = "flip" | "zero" | "misdirected";

export interface BlockFault {
  readonly path: string;
  readonly block: number;
  readonly kind: FaultKind;
}

/** What came of one fault. */
export interface Verdict {
  /** The node refused to start, by a code and a place. */
  readonly isRefused: boolean;
  /** It started, and said that something is not to be believed. */
  readonly isReported: boolean;
  /** Everything that must not be; empty when all is well. */
  readonly wrongs: readonly string[];
}

export class Sweep {
  readonly #world: World;
  readonly #images = new Map<NodeId, Image>();
  /** By key, what is there now, and all that ever was. */
  readonly #expected = new Map<string, string>();
  readonly #past = new Map<string, readonly string[]>();

  static async prepare(seed: number): Promise<Sweep> {
    const world = new World({ seed, nodes: 3, partitions: 8, tickMs: 25 });
    const sweep = new Sweep(world);
    await sweep.#fill();
    return sweep;
  }

  private constructor(world: World) {
    this.#world = world;
  }

  /** Every block of every file that the node has, with each kind of fault. */
  get faults(): readonly BlockFault[] {
    const { disk } = this.#imageOf(victim);
    return disk
      .files()
      .flatMap((path) =>
        usedBlocks(disk, path).flatMap((block) =>
          (["flip", "zero", "misdirected"] as const).map((kind) => ({ path, block, kind })),
        ),
      );
  }

  /** Hurts the disk, starts everybody, and looks at all there is to see. */
  async judge(fault: BlockFault): Promise<Verdict> {
    const world = this.#world;
    const name = `${fault.kind} of block ${fault.block} of ${fault.path}`;
    const disk = damaged(this.#imageOf(victim).disk, fault, seededRandom(fault.block + 1));
    if (disk === undefined) return { isRefused: false, isReported: true, wrongs: [] };
    const since = world.notices.length;
    const before = world.watch.wrongs.length;
    this.#putBack(disk);
    for (const id of [1, absent]) await world.restart(id);
    const refusal = await this.#start();
    const wrongs = refusal === undefined ? await this.#look() : [];
    if (refusal !== undefined && !isEngineError(refusal, "CORRUPTION")) {
      wrongs.push(`the start fails with ${String(refusal)}`);
    } else if (refusal !== undefined) {
      // As an operator would, who is told so.
      await this.#salvage();
      const second = await this.#start();
      // Where the mark of a node's directory was in it, the node has to be replaced.
      if (second === undefined) wrongs.push(...(await this.#look()));
      else if (!/DATA_DIR_INVALID/.test(String((second as { code?: unknown }).code))) {
        wrongs.push(`after a salvage the start fails with ${String(second)}`);
      }
    }
    world.network.heal();
    await world.run(30_000);
    wrongs.push(...(await this.#lookLater()), ...world.watch.wrongs.slice(before));
    const said = world.notices.slice(since);
    const isReported = said.some(
      ({ node, notice }) =>
        node === victim && notice.kind === "standing" && notice.standing === "rebuilding",
    );
    wrongs.push(...(await this.#hidden(isReported)));
    const told = wrongs.map((wrong) => `${name}: ${wrong}`);
    return { isRefused: refusal !== undefined, isReported, wrongs: told };
  }

  async #fill(): Promise<void> {
    const world = this.#world;
    await world.start();
    // Two tables each, of which one has older values, and then a log, with hints in it.
    for (const version of ["first", "second"]) {
      await this.#write(0, keys.length, version);
      await world.run(2_000);
      for (const id of world.ids) {
        world.crash(id, 1);
        await this.#offline(id, (engine) => engine.flush());
        await world.restart(id);
        await world.run(8_000);
      }
    }
    world.crash(absent, 1);
    await world.run(6_000);
    await this.#write(8, keys.length, "last");
    await world.run(2_000);
    for (const id of world.live) world.crash(id, 1);
    for (const id of world.ids) this.#images.set(id, world.imageOf(id));
  }

  /** Over what is there; every fourth is deleted at the end. */
  async #write(from: number, to: number, version: string): Promise<void> {
    for (const key of keys.slice(from, to)) {
      const isDelete = version === "last" && keys.indexOf(key) % 4 === 0;
      const value = isDelete ? undefined : `${key}, ${version}. `.repeat(12);
      const { context } = await get(this.#world, 1, key);
      const result = await put(this.#world, 1, key, value, { context });
      if (result?.kind !== "stored") throw new Error(`${key} is not stored`);
      this.#expected.set(key, value ?? "");
      this.#past.set(key, [...(this.#past.get(key) ?? []), value ?? ""]);
    }
  }

  #putBack(disk: MemoryDisk): void {
    const world = this.#world;
    for (const id of world.ids) {
      world.crash(id, 1);
      const image = this.#imageOf(id);
      world.restore(id, id === victim ? { ...image, disk } : image);
    }
  }

  /** Gives why the node does not start, twice the same. */
  async #start(): Promise<unknown> {
    const why = async (): Promise<unknown> => {
      try {
        await this.#world.restart(victim);
        return undefined;
      } catch (error) {
        return (error as Error).cause ?? error;
      }
    };
    const first = await why();
    if (first === undefined) return undefined;
    const second = await why();
    const isSame = String(second) === String(first);
    return isSame ? first : new Error(`${String(first)}, and then ${String(second)}`);
  }

  /** As `kvctl salvage` does. */
  async #salvage(): Promise<void> {
    const clock = this.#clockOf(victim);
    const salvaging = salvageOn(this.#world.diskOf(victim), clock, databaseDirectory, newIdentity);
    await this.#ended(salvaging);
    await this.#offline(victim, distrust);
  }

  /** Opens the database of a node that is down. */
  async #offline(id: NodeId, use: (engine: Engine) => Promise<void>): Promise<void> {
    const work = async (): Promise<void> => {
      const engine = await openDatabase(this.#world.diskOf(id), this.#clockOf(id));
      await use(engine);
      await engine.close();
    };
    await this.#ended(work());
  }

  #clockOf(id: NodeId): EngineClock {
    return new EngineClock(this.#world.timeline, this.#world.clockOf(id));
  }

  /** Engines sleep in virtual time: the world runs until it is done. */
  async #ended(work: Promise<unknown>): Promise<void> {
    let isOver = false;
    const end = (): void => {
      isOver = true;
    };
    void work.then(end, end);
    await this.#world.runUntil(() => isOver, 60_000);
    if (!isOver) throw new Error("the engine does not come to an end");
    await work;
  }

  /**
   * With the one that was away, and then alone: what the hurt node shows was written to that key,
   * if perhaps not last, and it denies nothing without saying that it is unsure.
   */
  async #look(): Promise<string[]> {
    const wrongs: string[] = [];
    for (const others of [[absent], []]) {
      this.#world.network.heal();
      const cut = [1, absent].filter((id) => !others.includes(id));
      this.#world.network.partition([victim, ...others], cut);
      wrongs.push(...(await this.#lookAt([victim, ...others])));
    }
    return wrongs;
  }

  async #lookAt(side: readonly NodeId[]): Promise<string[]> {
    const world = this.#world;
    const wrongs: string[] = [];
    for (const [key, past] of this.#past) {
      for (const at of side.filter((id) => world.live.includes(id))) {
        const found = await get(world, at, key, side.length).catch(() => undefined);
        if (found === undefined || (found.degraded && found.values.length === 0)) continue;
        const shown = found.values.join();
        if (!past.includes(shown)) wrongs.push(`${key} is "${shown}" to ${side.join(" and ")}`);
      }
    }
    return wrongs;
  }

  /** Together: every key is what it was, and the two healthy nodes hold just that. */
  async #lookLater(): Promise<string[]> {
    const world = this.#world;
    const wrongs: string[] = [];
    for (const [key, value] of this.#expected) {
      for (const at of [1, absent]) {
        const found = await get(world, at, key, 2).catch((error: unknown) => String(error));
        const shown = typeof found === "string" ? found : found.values.join();
        if (shown !== value) wrongs.push(`${key} is "${shown}" at node ${at}`);
        const { siblings } = await versionsAt(world, at, key);
        const held = siblings.map((each) => textOf(each.value));
        if (held.join() !== value) wrongs.push(`${key} is held as "${held.join()}" by ${at}`);
      }
    }
    return wrongs;
  }

  /** What the hurt node still lacks, and does not say. */
  async #hidden(isReported: boolean): Promise<string[]> {
    const wrongs: string[] = [];
    if (!this.#world.live.includes(victim)) return wrongs;
    for (const [key, value] of this.#expected) {
      const held = await versionsAt(this.#world, victim, key).catch(() => undefined);
      if (held === undefined) continue;
      const shown = held.siblings.map((each) => textOf(each.value)).join();
      if (shown === value) continue;
      if (shown !== "") wrongs.push(`${key} is held as "${shown}" by the hurt node`);
      else if (!isReported) wrongs.push(`${key} is lost on the hurt node, and it does not say so`);
    }
    return wrongs;
  }

  #imageOf(id: NodeId): Image {
    const image = this.#images.get(id);
    if (image === undefined) throw new Error(`there is no image of node ${id}`);
    return image;
  }
}

/** Blocks up to the last that holds anything, and one of the prepared space behind them. */
function usedBlocks(disk: MemoryDisk, path: string): readonly number[] {
  const bytes = disk.bytesOf(path);
  const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const blocks = Math.ceil(Math.min(bytes.length, used + blockBytes) / blockBytes);
  return Array.from({ length: blocks }, (_, block) => block);
}

/** The disk with that fault; undefined where it would change nothing. */
function damaged(
  disk: MemoryDisk,
  { path, block, kind }: BlockFault,
  random: Random,
): MemoryDisk | undefined {
  const hurt = disk.clone();
  const bytes = hurt.bytesOf(path);
  const from = block * blockBytes;
  const part = bytes.subarray(from, from + blockBytes);
  const before = part.slice();
  if (kind === "flip") part[random.below(part.length)]! ^= 1 << random.below(8);
  else if (kind === "zero") part.fill(0);
  else part.set(elsewhere(disk, { path, block, length: part.length }, random));
  if (Buffer.compare(before, part) === 0) return undefined;
  hurt.replace(path, bytes);
  return hurt;
}

/** What belongs to another place of this disk: a write that went to the wrong one. */
function elsewhere(
  disk: MemoryDisk,
  here: { readonly path: string; readonly block: number; readonly length: number },
  random: Random,
): Uint8Array {
  const places = disk.files().flatMap((path) =>
    usedBlocks(disk, path)
      .filter((block) => path !== here.path || block !== here.block)
      .map((block) => ({ path, block })),
  );
  const place = places[random.below(places.length)]!;
  const from = place.block * blockBytes;
  return disk.bytesOf(place.path).subarray(from, Math.min(from + here.length, from + blockBytes));
}
