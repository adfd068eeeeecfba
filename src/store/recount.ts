/**
 * After opening, everything is read once in the background: hints are counted, the Merkle trees
 * and the census are made. It goes over a snapshot taken before the first write, so that writes
 * since then are not in it, and add themselves. Damage ends neither: it is told, and the rest goes
 * on.
 */
import {
  type Engine,
  isEngineError,
  type Pair,
  type Snapshot,
} from "../../native-free-engine/index.ts";
import { digestOf } from "../core/clock/digest.ts";
import type { Versions } from "../core/clock/versions.ts";
import type { Partition } from "../core/ids.ts";
import type { Census } from "./census.ts";
import type { HintCounts } from "./hint-counts.ts";
import {
  type KeyRange,
  keyIn,
  kindHint,
  rangeOfKind,
  rangeOfPartition,
  targetIn,
} from "./keyspace.ts";
import type { Trees } from "./trees.ts";

export interface RecountParts {
  readonly engine: Engine;
  readonly partitions: number;
  readonly trees: Trees;
  readonly census: Census;
  readonly hints: HintCounts;
  decode(record: Uint8Array): Versions;
  onDamage(partition: Partition | undefined, error: unknown): void;
}

/** Few, so that what is done with them between two turns of the loop takes well under 1 ms. */
const pairsAtOnce = 128;

export class Recount {
  readonly #parts: RecountParts;
  #isStopped = false;
  /** Resolves when the hints are counted. Never rejects. */
  readonly hintsCounted: Promise<void>;
  /** Resolves at the end, also of a recount that was stopped. Never rejects. */
  readonly done: Promise<void>;

  constructor(parts: RecountParts) {
    this.#parts = parts;
    const snapshot = parts.engine.snapshot();
    this.hintsCounted = this.#countHints(snapshot);
    this.done = this.hintsCounted.then(() => this.#makeTrees(snapshot));
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #countHints(snapshot: Snapshot): Promise<void> {
    const { hints, onDamage } = this.#parts;
    try {
      await this.#each(rangeOfKind(kindHint), snapshot, ([engineKey, record]) => {
        hints.changed(targetIn(engineKey), { engineKey, before: 0, after: record.length });
      });
    } catch (error) {
      if (!isClosed(error)) onDamage(undefined, error);
    }
  }

  async #makeTrees(snapshot: Snapshot): Promise<void> {
    const { partitions, trees } = this.#parts;
    for (let partition = 0; partition < partitions && !this.#isStopped; partition++) {
      await this.#makeTree(partition, snapshot);
      if (!this.#isStopped) trees.readyBelow(partition + 1);
    }
    // Closing a snapshot of an engine that was closed before is fine.
    await snapshot.close();
  }

  async #makeTree(partition: Partition, snapshot: Snapshot): Promise<void> {
    const { partitions, trees, census, decode, onDamage } = this.#parts;
    const damage = (error: unknown): void => {
      if (isClosed(error)) return;
      trees.damaged(partition);
      onDamage(partition, error);
    };
    try {
      await this.#each(rangeOfPartition(partition, partitions), snapshot, ([engineKey, record]) => {
        const key = keyIn(engineKey);
        try {
          const versions = decode(record);
          if (key === undefined) return;
          trees.replace(key, undefined, digestOf(versions));
          census.changed(key, undefined, versions);
        } catch (error) {
          damage(error);
        }
      });
    } catch (error) {
      damage(error);
    }
  }

  async #each(range: KeyRange, snapshot: Snapshot, onPair: (pair: Pair) => void): Promise<void> {
    const scan = this.#parts.engine.scan({ ...range, snapshot });
    try {
      while (!this.#isStopped) {
        const pairs = await scan.nextMany(pairsAtOnce);
        for (const pair of pairs) onPair(pair);
        if (pairs.length < pairsAtOnce) break;
      }
    } finally {
      await scan.close();
    }
  }
}

/** The engine was closed under the recount, which is no damage. */
function isClosed(error: unknown): boolean {
  return isEngineError(error, "CLOSED");
}
