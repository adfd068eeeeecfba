/**
 * A store and the oracle beside it: for each copy (of a key, for the node itself or as a hint) the
 * steps that were asked for, in order. What is found must be the outcome of a prefix of them that
 * has all that was answered. And a peer that got everything the store ever handed out shows that no
 * dot claims what is not so: its siblings are exactly those that no later write has seen.
 */
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { Engine } from "../../native-free-engine/index.ts";
import { digestOf } from "../../src/core/clock/digest.ts";
import {
  type CausalContext,
  contextOf,
  type Dot,
  emptyContext,
  isEmpty,
  isEqual,
  knows,
  merge,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { type Key, partitionOf } from "../../src/core/key.ts";
import { MerkleTree } from "../../src/core/sync/merkle.ts";
import { Store } from "../../src/store/store.ts";
import {
  type Copy,
  copyName,
  dotName,
  fold,
  isSameRecord,
  refusing,
  type Step,
  shown,
  withAndWithoutRefused,
} from "./copy-steps.ts";
import { change, foreign, keyFrom, newActor, openEngineOn } from "./store-fixture.ts";

export const modelPartitions = 4;
export const modelTargets: readonly NodeId[] = [7, 300];
const own = 0;

interface Peer {
  versions: Versions;
  /** Dots of values that no later write has seen. */
  readonly alive: Map<string, Dot>;
}

export class StoreModel {
  readonly keys: readonly Key[];
  readonly refuses: boolean;
  readonly #refusals: { next: () => boolean };
  readonly #copies = new Map<string, Copy>();
  readonly #peers = new Map<string, Peer>();
  readonly #dots = new Set<string>();
  readonly #pending = new Set<Promise<void>>();
  #failure: unknown;
  disk: MemoryDisk;
  engine!: Engine;
  store!: Store;

  constructor(disk: MemoryDisk, refuses: (() => boolean) | undefined) {
    this.disk = disk;
    this.refuses = refuses !== undefined;
    this.#refusals = { next: refuses ?? (() => false) };
    this.keys = Array.from({ length: 10 }, (_, i) =>
      keyFrom(`key ${i}`, i % 3 === 0 ? "bucket" : ""),
    );
  }

  async open(): Promise<void> {
    this.engine = await openEngineOn(this.disk);
    this.store = await Store.open({
      engine: refusing(this.engine, this.#refusals),
      partitions: modelPartitions,
      newActor,
    });
  }

  write(key: Key, seen: CausalContext, text: string | undefined, targets: readonly NodeId[]): void {
    const made = change(text);
    const copies = targets.length === 0 ? [own] : targets;
    const steps: Step[] = [];
    let resolve = (): void => {};
    this.#wait(new Promise<void>((settle) => (resolve = settle)));
    let dot: Dot | undefined;
    // Each step gives the state of all copies together, as the store is to compute it.
    const group = copies.map((target) => this.#copy(key, target));
    for (const copy of group) {
      const before = group.map((one) => ({ one, at: one.steps.length }));
      const step: Step = {
        apply: (held) => {
          if (dot === undefined) throw new Error("a write was never answered");
          const others = before
            .filter(({ one }) => one !== copy)
            .map(({ one, at }) => fold(one, one.steps.slice(0, at)));
          return write([held, ...others].reduce(merge), seen, dot, made).versions;
        },
        answer: "none",
      };
      steps.push(step);
    }
    for (const [i, copy] of group.entries()) copy.steps.push(steps[i]!);
    const work: StoreWork = {
      kind: "write",
      key,
      context: seen,
      change: made,
      targets,
      siblingsMax: 1000,
      siblingBytesMax: 1 << 22,
    };
    this.store.run(work, (outcome) => {
      if (outcome.kind === "written") {
        dot = newDot(outcome.context, seen);
        this.#guard(() => this.#handedOut(key, outcome.versions, dot!, seen, text !== undefined));
        return;
      }
      this.#guard(() => expectKind(outcome, "durable"));
      dot ??= { actor: newActor(), counter: 1 };
      for (const step of steps) step.answer = outcome.kind === "durable" ? "done" : "refused";
      resolve();
    });
  }

  merge(keys: readonly Key[], versions: readonly Versions[]): void {
    const entries = keys.map((key, i) => ({ key, versions: versions[i] ?? noVersions }));
    const steps = entries.map((entry) => this.#joinStep(entry.key, own, entry.versions));
    this.#run({ kind: "merge", entries, round: 0 }, "merged", steps);
  }

  keepHints(key: Key, targets: readonly NodeId[], versions: Versions): void {
    const steps = targets.map((target) => this.#joinStep(key, target, versions));
    this.#run(
      { kind: "keep-hints", targets, entry: { key, versions }, round: 0 },
      "durable",
      steps,
    );
  }

  /** What a target is given: it keeps that, and then the store need not. */
  async deliver(target: NodeId, bytes: number): Promise<void> {
    const outcome = await this.ask({ kind: "read-hints", target, bytes });
    if (outcome.kind !== "hints") throw new Error(JSON.stringify(outcome));
    for (const { key, versions } of outcome.entries) {
      const peer = this.#peer(key);
      peer.versions = merge(peer.versions, versions);
    }
    const dropped = outcome.entries.map(({ key, versions }) => ({
      key,
      digest: digestOf(versions),
    }));
    const steps = outcome.entries.map(({ key, versions }) =>
      this.#step(key, target, (held) => (isEqual(held, versions) ? noVersions : held)),
    );
    this.#run({ kind: "drop-hints", target, entries: dropped }, "durable", steps);
  }

  async dropPartition(partition: number): Promise<void> {
    await this.settle();
    const steps: Step[] = [];
    for (const key of this.keys) {
      if (partitionOf(key, modelPartitions) !== partition) continue;
      const peer = this.#peer(key);
      peer.versions = merge(peer.versions, fold(this.#copy(key, own)));
      steps.push(this.#step(key, own, () => noVersions));
    }
    this.#run({ kind: "drop-partition", partition }, "durable", steps);
    await this.settle();
  }

  ask(work: StoreWork): Promise<StoreOutcome> {
    return new Promise((resolve) => this.store.run(work, resolve));
  }

  async held(key: Key, target: NodeId): Promise<Versions> {
    const targets = target === own ? [] : [target];
    const outcome = await this.ask({ kind: "read", key, targets });
    if (outcome.kind !== "versions") throw new Error(JSON.stringify(outcome));
    return outcome.versions;
  }

  /** Waits for all answers, and takes over what is found if the steps explain it. */
  async settle(): Promise<void> {
    await this.#allAnswered();
    const all = [...this.#copies.values()];
    await this.#adoptAll(
      all.map((copy) => ({ copy, least: copy.steps.length })),
      "after all answers",
    );
  }

  /** The machine dies now, whatever is still on its way. */
  async crash(survival: number, random: () => number): Promise<void> {
    const left = this.disk.crash({ survival, random });
    const answered = [...this.#copies.values()].map((copy) => ({
      copy,
      least: copy.steps.findLastIndex(({ answer }) => answer === "done") + 1,
    }));
    // The old process goes on in a world that nobody will see, so that its steps are known.
    await this.#allAnswered();
    await this.store.close();
    await this.engine.close();
    this.disk = left;
    await this.open();
    await this.#adoptAll(answered, "after a crash");
  }

  async reopen(): Promise<void> {
    await this.settle();
    await this.store.close();
    await this.engine.close();
    await this.open();
    await this.settle();
  }

  /** Trees, pages, leaves and counts say the same as the copies. */
  async checkSums(): Promise<void> {
    await this.settle();
    await this.store.ready();
    for (let partition = 0; partition < modelPartitions; partition++) {
      await this.#checkPartition(partition);
    }
    const counts = modelTargets.map((target) => {
      const hints = [...this.#copies.values()].filter((copy) => copy.target === target);
      return { target, keys: hints.filter(({ base }) => !isEmpty(base)).length };
    });
    expectSame(
      await this.ask({ kind: "count-hints" }),
      { kind: "counts", hints: counts.filter(({ keys }) => keys > 0) },
      "counts of hints",
    );
    this.#checkPeers();
  }

  contextOf(key: Key): CausalContext {
    const copy = this.#copies.get(copyName(key, own));
    return copy === undefined ? emptyContext : contextOf(copy.base);
  }

  foreign(key: Key, text: string): Versions {
    const peer = this.#peer(key);
    const seen = peer.versions;
    const versions = foreign(text, seen);
    const sibling = versions.siblings.at(-1);
    const made = versions.siblings.find(({ value }) => Buffer.from(value).toString() === text);
    if (sibling === undefined || made === undefined) throw new Error("a write without a value");
    this.#handedOut(key, versions, made.dot, contextOf(seen), true);
    return versions;
  }

  async #checkPartition(partition: number): Promise<void> {
    const tree = new MerkleTree({ partition, partitions: modelPartitions });
    const copies = [...this.#copies.values()].filter(
      ({ key, target, base }) =>
        target === own && !isEmpty(base) && partitionOf(key, modelPartitions) === partition,
    );
    for (const { key, base } of copies) tree.replace(key, undefined, digestOf(base));
    const root = await this.ask({ kind: "tree", partition, level: "root", parents: [] });
    const expected = { kind: "tree", ready: true, round: 0, hashes: [tree.root()] };
    expectSame(root, expected, `root of ${partition}`);
    const page = await this.ask({
      kind: "list",
      partition,
      after: undefined,
      limit: 100,
      bytes: 1 << 20,
    });
    const listed =
      page.kind === "entries" ? page.entries.map(({ key }) => shown(key)).sort() : page;
    expectSame(listed, copies.map(({ key }) => shown(key)).sort(), `list of ${partition}`);
    const leaves = [...new Set(copies.map(({ key }) => tree.leafOf(key)))];
    const leaf = await this.ask({ kind: "leaf", partition, leaves });
    const digests =
      leaf.kind === "leaf" ? leaf.digests.map((one) => JSON.stringify(one)).sort() : [];
    const wanted = copies.map(({ key: { high, low }, base }) =>
      JSON.stringify({ token: { high, low }, digest: digestOf(base) }),
    );
    expectSame(digests, wanted.sort(), `leaves of ${partition}`);
  }

  #checkPeers(): void {
    for (const copy of this.#copies.values()) {
      const peer = this.#peer(copy.key);
      peer.versions = merge(peer.versions, copy.base);
    }
    for (const [name, { versions, alive }] of this.#peers) {
      const found = versions.siblings.map(({ dot }) => dotName(dot)).sort();
      expectSame(found, [...alive.keys()].sort(), `siblings of ${name} at a peer that got all`);
    }
  }

  #handedOut(key: Key, versions: Versions, dot: Dot, seen: CausalContext, hasValue: boolean): void {
    const name = dotName(dot);
    const place = `${name} in ${partitionOf(key, modelPartitions)}`;
    if (this.#dots.has(place)) throw new Error(`dot ${place} was given out twice`);
    this.#dots.add(place);
    const peer = this.#peer(key);
    peer.versions = merge(peer.versions, versions);
    for (const [other, one] of peer.alive) if (knows(seen, one)) peer.alive.delete(other);
    if (hasValue) peer.alive.set(name, dot);
  }

  #run(work: StoreWork, kind: StoreOutcome["kind"], steps: readonly Step[]): void {
    this.#wait(
      this.ask(work).then((outcome) => {
        expectKind(outcome, kind);
        for (const step of steps) step.answer = outcome.kind === "failed" ? "refused" : "done";
      }),
    );
  }

  /** What goes wrong in an answer is told where answers are waited for. */
  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#failure ??= error;
    }
  }

  async #allAnswered(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #wait(promise: Promise<void>): void {
    const waiting = promise.finally(() => this.#pending.delete(waiting));
    this.#pending.add(waiting);
  }

  #joinStep(key: Key, target: NodeId, versions: Versions): Step {
    return this.#step(key, target, (held) => merge(held, versions));
  }

  #step(key: Key, target: NodeId, apply: Step["apply"]): Step {
    const step: Step = { apply, answer: "none" };
    this.#copy(key, target).steps.push(step);
    return step;
  }

  async #adopt(copy: Copy, least: number, when: string): Promise<Versions> {
    const found = await this.held(copy.key, copy.target);
    for (let length = copy.steps.length; length >= least; length--) {
      for (const steps of withAndWithoutRefused(copy.steps.slice(0, length))) {
        if (!isSameRecord(fold(copy, steps), found)) continue;
        return found;
      }
    }
    const full = JSON.stringify(fold(copy));
    const what = `${when}, copy ${copyName(copy.key, copy.target)}`;
    throw new Error(`${what}: found ${JSON.stringify(found)}, all steps give ${full}`);
  }

  /** Steps look at other copies too, so all states are taken over together. */
  async #adoptAll(
    copies: readonly { readonly copy: Copy; readonly least: number }[],
    when: string,
  ): Promise<void> {
    const found: Versions[] = [];
    for (const { copy, least } of copies) found.push(await this.#adopt(copy, least, when));
    for (const [i, { copy }] of copies.entries()) {
      copy.base = found[i]!;
      copy.steps = [];
    }
  }

  #copy(key: Key, target: NodeId): Copy {
    const name = copyName(key, target);
    const copy = this.#copies.get(name) ?? { key, target, base: noVersions, steps: [] };
    this.#copies.set(name, copy);
    return copy;
  }

  #peer(key: Key): Peer {
    const peer = this.#peers.get(shown(key)) ?? { versions: noVersions, alive: new Map() };
    this.#peers.set(shown(key), peer);
    return peer;
  }
}

function newDot(context: CausalContext, seen: CausalContext): Dot {
  const added = context.dots.filter((dot) => !knows(seen, dot));
  if (added.length !== 1) throw new Error("a write adds one dot to what was seen");
  return added[0]!;
}

function expectKind(outcome: StoreOutcome, kind: StoreOutcome["kind"]): void {
  if (outcome.kind === kind) return;
  if (outcome.kind === "failed" && outcome.code === "DISK_FULL") return;
  throw new Error(`wanted ${kind}, got ${JSON.stringify(outcome)}`);
}

function expectSame(found: unknown, wanted: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: found ${a}, want ${b}`);
}
