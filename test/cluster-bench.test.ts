/** The parts of the cluster benchmark that could mislead: what it times, counts, and compares. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { UsageError } from "../bench/arguments.ts";
import { parseClusterChoices } from "../bench/cluster/choices.ts";
import { closedLoop, openLoop } from "../bench/cluster/drive.ts";
import { parseEndpointsChoices } from "../bench/cluster/endpoints-choices.ts";
import { Histogram } from "../bench/cluster/histogram.ts";
import { messagesFor } from "../bench/cluster/node-stats.ts";
import type { ClusterMeasurement } from "../bench/cluster/plan.ts";
import { sharesIn } from "../bench/cluster/profile.ts";
import type { Done } from "../bench/cluster/rounds.ts";
import type { StoreInfo } from "../bench/cluster/store.ts";
import { allStores } from "../bench/cluster/stores/all.ts";
import { goalsFrom, rowsFrom } from "../bench/cluster/summary.ts";
import { storesTable } from "../bench/cluster/tables.ts";
import { Records } from "../bench/cluster/ycsb.ts";
import { Values } from "../bench/keys.ts";
import { isDriver, isOurs } from "../bench/table.ts";
import { type Bucket, Context } from "../src/index.ts";

describe("latencies", () => {
  test("percentiles are true to a thousandth, up to a minute", () => {
    const histogram = new Histogram();
    for (let i = 1; i <= 1000; i++) histogram.record(i);
    histogram.record(90_000);
    const { p50Ms, p99Ms, maxMs, samples } = histogram.percentiles();
    expect(samples).toBe(1001);
    expect(p50Ms / 501).toBeCloseTo(1, 2);
    expect(p99Ms / 991).toBeCloseTo(1, 2);
    expect(maxMs / 60_000).toBeCloseTo(1, 2);
  });
});

describe("load", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const ignore = (): void => undefined;

  test("open: a request counts from when it was due, also behind one that stalls", async () => {
    // All that is asked in the first tenth of a second is answered at its end.
    const began = performance.now();
    const operate = (): Promise<void> => wait(Math.max(1, began + 100 - performance.now()));
    const load = openLoop({ rate: 1000, goesOn: (ms) => ms < 1000, operate, answered: ignore });
    await vi.advanceTimersByTimeAsync(1200);
    const { operations, latency, failures } = await load;
    expect(failures).toBe(0);
    expect(operations).toBeGreaterThanOrEqual(990);
    expect(operations).toBeLessThanOrEqual(1010);
    // One in ten requests was due in that time, so that the slowest hundredth waited most of it.
    expect(latency.p50Ms).toBeLessThan(3);
    expect(latency.p99Ms).toBeGreaterThan(85);
  });

  test("open: requests go out at their rate, however slow the answers are", async () => {
    let asked = 0;
    const operate = (): Promise<void> => {
      asked += 1;
      return wait(500);
    };
    const load = openLoop({ rate: 200, goesOn: (ms) => ms < 1000, operate, answered: ignore });
    await vi.advanceTimersByTimeAsync(900);
    expect(asked).toBeGreaterThanOrEqual(175);
    await vi.advanceTimersByTimeAsync(1000);
    expect((await load).operations).toBe(asked);
  });

  test("closed: each caller waits for its answer, and what fails is counted and told", async () => {
    let asked = 0;
    const operate = async (): Promise<void> => {
      await wait(10);
      asked += 1;
      if (asked % 10 === 0) throw new Error("the tenth");
    };
    const load = closedLoop({ callers: 4, seconds: 1, operate, answered: ignore });
    await vi.advanceTimersByTimeAsync(1100);
    const { operations, failures, said, latency } = await load;
    expect(operations + failures).toBe(400);
    expect(failures).toBe(40);
    expect(said).toEqual(["the tenth"]);
    expect(latency.p50Ms).toBeCloseTo(10, 0);
  });

  test("a wrong answer is a failure", async () => {
    const answered = (): void => {
      throw new Error("a read gave nothing");
    };
    const load = closedLoop({ callers: 1, seconds: 0.05, operate: () => wait(10), answered });
    await vi.advanceTimersByTimeAsync(100);
    expect(await load).toMatchObject({ operations: 0, said: ["a read gave nothing"] });
  });
});

describe("goals", () => {
  const shape = { n: 1000, valueBytes: 100 };

  test("ratios are taken within a round, and show the middle of them", () => {
    const done = [1, 2, 3].flatMap((round) => [
      row("everwrite", round, { operations: 1000 * round }),
      row("redis", round, { operations: 2000 * round }),
    ]);
    const { facts } = goalsFrom(done, shape);
    const shares = facts.filter(({ name }) => name === "everwrite, write ×64: of redis's rate");
    expect(shares.map(({ value }) => value)).toEqual([50, 50, 50]);
    expect(shares[0]).toMatchObject({ unit: "%", goal: { least: 100 } });
  });

  test("the worst latency is held against the best peer's", () => {
    const done = [
      row("everwrite", 1, { p999Ms: 30 }),
      row("redis", 1, { p999Ms: 20 }),
      row("nats", 1, { p999Ms: 10 }),
    ];
    const worst = goalsFrom(done, shape).facts.find(({ name }) => name.includes("p99.9"));
    expect(worst).toMatchObject({ value: 3, goal: { most: 1 } });
  });

  test("without a peer there is nothing to reach", () => {
    expect(goalsFrom([row("everwrite", 1, {})], shape).facts).toEqual([]);
  });
});

describe("rows", () => {
  const stores = allStores.filter(({ name }) => ["everwrite", "redis", "etcd"].includes(name));
  const rows = [{ workload: "write", callers: 64 }] as const;
  const request = { stores, rows, n: 1000, valueBytes: 100 };

  test("a store that is not installed is a dash, and one with failed requests has failed", () => {
    const unavailable = new Map([["etcd", "there is no etcd"]]);
    const done = [row("everwrite", 1, { operations: 5000 }), row("redis", 1, { failures: 3 })];
    const made = rowsFrom({ ...request, unavailable, done });
    expect(made[0]?.engines.map(({ absent }) => absent)).toEqual([
      undefined,
      "some failed: no",
      "there is no etcd",
    ]);
    expect(storesTable(made)).toMatch(/write ×64 +5000 +failed +—/);
  });

  test("a round that was lost taints the row", () => {
    const lost: Done = {
      ...{ store: "redis", round: 2, workload: "write", callers: 64 },
      ...{ measurement: undefined, failure: "its client ended with SIGKILL" },
    };
    const done = [row("redis", 1, {}), lost];
    const made = rowsFrom({ ...request, unavailable: new Map(), done });
    expect(made[0]?.engines[1]?.absent).toBe("its client ended with SIGKILL");
  });

  test("other settings of ours are ours, and what does nothing is nobody's", () => {
    const names = allStores.map(({ name }: StoreInfo) => name);
    expect(names.filter(isOurs)).toEqual(["everwrite", "everwrite-sync"]);
    expect(names.filter(isDriver)).toEqual(["(ws)", "(ws-batched)"]);
  });
});

test("messages are those of requests, hedged ones too, and not gossip", () => {
  const counts = {
    ...{ "requests.get": 105, "requests.admin": 6 },
    ...{ "sent.read": 110, "sent.read-reply": 110, "sent.gossip": 900 },
  };
  expect(messagesFor(counts, 100)).toBe(4.3);
});

test("a profile is divided by where the code is, and waiting is left out", () => {
  const frame = (functionName: string, url = "") => ({ functionName, url });
  const frames = [
    frame("(idle)"),
    frame("(garbage collector)"),
    frame("decodeFrame", "file:///x/dist/src/core/wire/codec.js"),
    frame("put", "file:///x/dist/src/core/quorum/put.js"),
    frame("sendFrame", "file:///x/node_modules/ws/lib/sender.js"),
    frame("writev", "node:internal/stream_base_commons"),
  ];
  const shares = sharesIn({
    nodes: frames.map((callFrame, id) => ({ id, callFrame })),
    samples: [0, 1, 2, 3, 3, 4, 5],
    timeDeltas: [1000, 10, 20, 15, 15, 30, 10],
  });
  expect(Object.fromEntries(shares)).toEqual({
    ...{ "garbage collector": 0.1, codec: 0.2, protocol: 0.3, ws: 0.3 },
    "sockets and streams of Node": 0.1,
  });
});

describe("records of YCSB", () => {
  const values = new Values(10);

  test("an update carries the context seen last, and reads where there is none", async () => {
    const calls: string[] = [];
    const context = (name: string): Context => new Context(Buffer.from(name));
    const bucket = {
      get: async (key: string) => {
        calls.push(`get ${key.slice(-2)}`);
        return { values: [], context: context("read") };
      },
      put: async (key: string, _value: unknown, options: { context?: Context }) => {
        const given = options.context && Buffer.from(options.context.bytes).toString();
        calls.push(`put ${key.slice(-2)} over ${given}`);
        return { context: context("put") };
      },
    } as unknown as Bucket;
    const records = new Records({ bucket, n: 5, values, prefix: "p", r: undefined, w: undefined });
    await records.insert(1);
    await records.update(1);
    await records.update(2);
    expect(calls).toEqual([
      "put 10 over undefined",
      "put 10 over put",
      "get 20",
      "put 20 over read",
    ]);
  });

  test("are removed with all that was written at the same time", async () => {
    const bucket = new OneKey();
    const records = new Records({
      ...{ bucket: bucket as unknown as Bucket, n: 5, values, prefix: "p" },
      ...{ r: undefined, w: undefined },
    });
    await records.insert(1);
    await Promise.all([records.update(1), records.update(1)]);
    expect(bucket.live.size).toBe(2);
    await records.remove(1);
    expect([...bucket.live]).toEqual([]);
    // An answer to a read may say less than what is known already.
    await Promise.all([records.insert(2), records.read(2)]);
    await records.remove(2);
    expect([...bucket.live]).toEqual([]);
  });
});

describe("arguments", () => {
  test("all stores and parts but the profile unless some are named", () => {
    const choices = parseClusterChoices([]);
    expect(choices?.parts).toEqual(["speed", "paced", "costs", "faults"]);
    expect(choices?.stores).toEqual(allStores.map(({ name }) => name));
    expect(parseClusterChoices(["costs", "--stores", "redis,ws"])).toMatchObject({
      ...{ parts: ["costs"], stores: ["redis", "(ws)"] },
    });
  });

  test.each([[["speeed"]], [["--stores", "mongodb"]], [["--n", "7"]], [["--fast"]]])(
    "bench cluster %j is a mistake in usage",
    (argv) => {
      expect(() => parseClusterChoices(argv)).toThrow(UsageError);
    },
  );

  test.each([[["g"]], [["--rate", "0"]], [["--routing", "best"]], [["--callers", "1,2"]]])(
    "bench -e X %j is a mistake in usage",
    (argv) => {
      expect(() => parseEndpointsChoices(["-e", "x", ...argv])).toThrow(UsageError);
    },
  );
});

/** A bucket of one key: contexts are lists of the writes that somebody has seen. */
class OneKey {
  /** Those that no other write has superseded. */
  readonly live = new Set<number>();
  #writes = 0;

  async get() {
    const context = contextOf([...this.live]);
    // A slow answer: what it says is older than when it comes.
    await new Promise((resolve) => setImmediate(resolve));
    return { values: [...this.live], context };
  }

  async put(_key: string, _value: unknown, { context }: { context?: Context }) {
    const seen = seenIn(context);
    for (const write of seen) this.live.delete(write);
    this.#writes += 1;
    this.live.add(this.#writes);
    return { context: contextOf([...seen, this.#writes]) };
  }

  async delete(_key: string, { context }: { context?: Context } = {}) {
    for (const write of seenIn(context ?? (await this.get()).context)) this.live.delete(write);
  }
}

function contextOf(writes: readonly number[]): Context {
  return new Context(Buffer.from(JSON.stringify(writes)));
}

function seenIn(context: Context | undefined): number[] {
  return context === undefined ? [] : JSON.parse(Buffer.from(context.bytes).toString());
}

function row(
  store: string,
  round: number,
  {
    operations = 1000,
    failures = 0,
    p999Ms = 1,
  }: { operations?: number; failures?: number; p999Ms?: number },
): Done {
  const measurement: ClusterMeasurement = {
    ...{ operations, seconds: 1, failures, said: failures > 0 ? ["no"] : [] },
    latency: { p50Ms: 1, p99Ms: 1, p999Ms, maxMs: p999Ms, samples: operations },
    ...{ clientCpuMs: 10, serverCpuMs: [10, 10, 10], peakBytes: 1, diskBytes: 1 },
    ...{ writtenBytes: 1, wireBytes: 1, counts: {} },
  };
  return { store, round, workload: "write", callers: 64, measurement };
}
