/**
 * The store of one node, as far as coordinators and replicas use it, in two maps. It applies the
 * real rules for versions; when something becomes durable, or fails, is decided by the test.
 */
import { merge, noVersions, type Versions, write } from "../../src/core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { type Key, nameOf } from "../../src/core/key.ts";
import type { Entry } from "../../src/core/message.ts";
import { compareKeys } from "../../src/core/quorum/key-order.ts";

type Done = (outcome: StoreOutcome) => void;

export class QuorumStore {
  readonly #actor: string;
  #counter = 0;
  readonly entries = new Map<string, Entry>();
  readonly hints = new Map<NodeId, Map<string, Entry>>();
  /** While true nothing becomes durable; what waits does so when `resume` is called. */
  isStopped = false;
  /** While true nothing is even begun; what waits is when `resume` is called. */
  isFrozen = false;
  /** No hint is taken any more. */
  isFullOfHints = false;
  /** Every piece of work fails with this code. */
  failure: string | undefined;
  readonly #held: (() => void)[] = [];

  constructor(node: NodeId) {
    this.#actor = node.toString(16).padStart(16, "0");
  }

  versionsOf(key: Key): Versions {
    return this.entries.get(nameOf(key))?.versions ?? noVersions;
  }

  put(entry: Entry): void {
    const versions = merge(this.versionsOf(entry.key), entry.versions);
    this.entries.set(nameOf(entry.key), { key: entry.key, versions });
  }

  keep(targets: readonly NodeId[], { key, versions }: Entry): void {
    for (const target of targets) {
      const held = this.hints.get(target) ?? new Map<string, Entry>();
      const before = held.get(nameOf(key))?.versions ?? noVersions;
      held.set(nameOf(key), { key, versions: merge(before, versions) });
      this.hints.set(target, held);
    }
  }

  resume(): void {
    this.isStopped = false;
    this.isFrozen = false;
    for (const act of this.#held.splice(0)) act();
  }

  run(work: StoreWork, done: Done): void {
    if (this.isFrozen) {
      this.#held.push(() => this.run(work, done));
      return;
    }
    if (this.failure !== undefined) {
      done({ kind: "failed", code: this.failure, message: "as the test wished", applied: "no" });
      return;
    }
    if (work.kind === "keep-hints" && this.isFullOfHints) {
      done({ kind: "failed", code: "HINTS_FULL", message: "as the test wished", applied: "no" });
      return;
    }
    switch (work.kind) {
      case "read":
        done({ kind: "versions", versions: this.#find(work.key, work.targets), round: 0 });
        break;
      case "write":
        this.#write(work, done);
        break;
      case "merge":
        for (const entry of work.entries) this.put(entry);
        this.#whenDurable(() => done({ kind: "merged", changed: 1, stale: 0 }));
        break;
      case "keep-hints":
        this.keep(work.targets, work.entry);
        this.#whenDurable(() => done({ kind: "durable" }));
        break;
      case "list":
        done(this.#list(work));
        break;
      default:
        throw new Error(`no coordinator asks for ${work.kind}`);
    }
  }

  #write(work: StoreWork & { readonly kind: "write" }, done: Done): void {
    const { key, context, change, targets, siblingsMax } = work;
    const dot = { actor: this.#actor, counter: this.#counter + 1 };
    const written = write(this.#find(key, targets), context, dot, change);
    const { length } = written.versions.siblings;
    if (length > siblingsMax) {
      done({ kind: "too-many-siblings", siblings: length, bytes: 0 });
      return;
    }
    if (!written.isDuplicate) this.#counter += 1;
    const entry = { key, versions: written.versions };
    if (targets.length > 0) this.keep(targets, entry);
    else this.entries.set(nameOf(key), entry);
    done({ kind: "written", round: 0, ...written });
    this.#whenDurable(() => done({ kind: "durable" }));
  }

  #find(key: Key, targets: readonly NodeId[]): Versions {
    if (targets.length === 0) return this.versionsOf(key);
    return targets
      .map((target) => this.hints.get(target)?.get(nameOf(key))?.versions ?? noVersions)
      .reduce(merge);
  }

  #list({ after, limit }: StoreWork & { readonly kind: "list" }): StoreOutcome {
    const sorted = [...this.entries.values()].sort((a, b) => compareKeys(a.key, b.key));
    const left = sorted.filter(({ key }) => after === undefined || compareKeys(key, after) > 0);
    const page = { entries: left.slice(0, limit), isEnd: left.length <= limit };
    return { kind: "entries", ...page, round: 0 };
  }

  #whenDurable(act: () => void): void {
    if (this.isStopped) this.#held.push(act);
    else act();
  }
}
