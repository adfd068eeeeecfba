/**
 * The door for offline looks into a node's directory: the user's keys with their values and
 * versions, in the order of tokens. What is local to the node (meta, hints, numbers of actors,
 * operations it remembers) is not shown, so replicas that agree look the same to the byte.
 */
import type { Engine } from "../../native-free-engine/index.ts";
import type { Versions } from "../core/clock/versions.ts";
import { type Key, keyOf } from "../core/key.ts";
import { ClusterError } from "../errors.ts";
import { ActorTable } from "./actor-table.ts";
import { copyKey, keyIn, kindData, own, rangeOfKind } from "./keyspace.ts";
import { decodeRecord } from "./record.ts";
import { formatOf, refusalOf } from "./store-format.ts";

/** One key as the user sees it; without values it is deleted, or has expired. */
export interface UserEntry {
  readonly bucket: string;
  readonly key: Uint8Array;
  /** Siblings, in the order of their dots. */
  readonly values: readonly Uint8Array[];
  /**
   * Causal past and present in one line: the vector, the dots beyond it, the dots of the values;
   * `actor:counter,…` each, with a semicolon between them.
   */
  readonly versions: string;
}

const pairsAtOnce = 500;

export class NodeDirectory {
  readonly #engine: Engine;
  readonly #actors: ActorTable;
  readonly #now: number;

  /** `now` judges which values have expired. Rejects where the store is of another version. */
  static async open(engine: Engine, now: number): Promise<NodeDirectory> {
    const format = await formatOf(engine);
    if (format.kind === "other-version") throw refusalOf(format.version);
    return new NodeDirectory(engine, await ActorTable.load(engine), now);
  }

  private constructor(engine: Engine, actors: ActorTable, now: number) {
    this.#engine = engine;
    this.#actors = actors;
    this.#now = now;
  }

  async get(bucket: string, bytes: Uint8Array): Promise<UserEntry | undefined> {
    const key = keyOf(bucket, bytes);
    const record = await this.#engine.get(copyKey(key, own));
    return record === undefined ? undefined : this.#entryOf(key, record);
  }

  /** Every key that has a value. */
  async *entries(): AsyncGenerator<UserEntry, void, undefined> {
    const scan = this.#engine.scan(rangeOfKind(kindData));
    try {
      for (;;) {
        const pairs = await scan.nextMany(pairsAtOnce);
        for (const [engineKey, record] of pairs) {
          const key = keyIn(engineKey);
          if (key === undefined) throw damage("a key that is none of ours");
          const entry = this.#entryOf(key, record);
          if (entry.values.length > 0) yield entry;
        }
        if (pairs.length < pairsAtOnce) return;
      }
    } finally {
      await scan.close();
    }
  }

  #entryOf({ bucket, bytes }: Key, record: Uint8Array): UserEntry {
    const decoded = decodeRecord(record, this.#actors);
    if (decoded.kind === "invalid") throw damage(decoded.why);
    const { versions } = decoded;
    const present = versions.siblings.filter(
      ({ expiresAt }) => expiresAt === 0 || expiresAt > this.#now,
    );
    const values = present.map(({ value }) => value);
    return { bucket, key: bytes, values, versions: lineOf(versions) };
  }
}

function lineOf({ vector, dots, siblings }: Versions): string {
  const parts = [vector, dots, siblings.map(({ dot }) => dot)];
  return parts
    .map((events) => events.map(({ actor, counter }) => `${actor}:${counter}`).join())
    .join(";");
}

function damage(what: string): ClusterError {
  return new ClusterError("CORRUPTION", `the directory holds ${what}`);
}
