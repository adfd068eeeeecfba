/**
 * The client's own sessions over a cluster in trouble, each read of one replica: what a session has
 * seen it sees again, or is told that it cannot; and what it has seen go never comes back to it.
 */
import { expect, test } from "vitest";
import type { Bucket, Found } from "../../src/client/api.ts";
import { Context } from "../../src/client/context.ts";
import { ClusterSession } from "../../src/client/session.ts";
import type { CausalContext } from "../../src/core/clock/versions.ts";
import { readContext, sealContext } from "../../src/core/context-token.ts";
import type { Key } from "../../src/core/key.ts";
import type { Command, Result } from "../../src/core/message.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { ClusterError, isClusterError } from "../../src/errors.ts";
import { cuts } from "./faults/network.ts";
import { blackouts, crashes, freezes } from "./faults/process.ts";
import { rough } from "./network.ts";
import { Operator } from "./operator.ts";
import { contains } from "./reach.ts";
import { makeTrouble } from "./trouble.ts";
import { keyFrom, textOf } from "./workload.ts";
import { World } from "./world.ts";

const seed = Number(process.env["SEED"] ?? 1);
const keys = ["a", "b", "c"];
const clusterId = "5eed".repeat(8);
const macKeys = [{ number: 1, bytes: new Uint8Array(16) }] as const;
const about = { strict: false, deadlineMs: 600, trace: false };

/** Each request goes to another node: a session that stays at one proves little. */
function bucketOf(world: World, random: Random): Bucket {
  const ask = async (command: Command): Promise<Result & { context: CausalContext }> => {
    const node = world.serving[random.below(Math.max(1, world.serving.length))] ?? 1;
    const result = await world.request(node, command);
    if (result?.kind === "found" || result?.kind === "stored") return result;
    throw new ClusterError("READ_TIMEOUT", result === undefined ? "no answer" : result.kind);
  };
  const sealed = (key: Key, context: CausalContext): Context =>
    new Context(sealContext({ context, fastest: 0 }, { clusterId, key }, macKeys));
  const write = async (name: string, value: Uint8Array | undefined, context?: Context) => {
    const key = keyFrom(name);
    const seen = context === undefined ? undefined : readContext(context.bytes);
    const operation = {
      at: Math.floor(world.timeline.now),
      nonce: random.below(2 ** 32),
      retried: false,
    };
    const more = { value, context: seen, operation, ttlMs: 0, w: 2, ...about };
    const stored = await ask({ kind: "put", key, ...more });
    return { context: sealed(key, stored.context), acks: 2 };
  };
  const refuse = (): never => expect.unreachable("not of this test");
  return {
    get: async (name, options) => {
      const key = keyFrom(textOf(name as Uint8Array));
      const found = await ask({ kind: "get", key, r: options?.r ?? 1, ...about });
      const values = found.kind === "found" ? [...found.values] : [];
      return { values, context: sealed(key, found.context) } as unknown as Found;
    },
    put: (name, value, options) =>
      write(textOf(name as Uint8Array), Buffer.from(value as string), options?.context),
    delete: (name, options) => write(textOf(name as Uint8Array), undefined, options?.context),
    ...{ update: refuse, getMany: refuse, scan: refuse },
  };
}

/** One program with one session; remembers plainly what it was shown. */
class Program {
  readonly counts = { read: 0, wrote: 0, refused: 0, failed: 0 };
  readonly wrongs: string[] = [];
  readonly #session: ClusterSession;
  readonly #random: Random;
  readonly #name: string;
  readonly #last = new Map<string, { context: CausalContext; values: readonly string[] }>();
  readonly #gone = new Set<string>();

  constructor(world: World, name: string, random: Random) {
    const bucket = bucketOf(world, random);
    this.#session = new ClusterSession({ bucket, timeoutMs: 5_000, n: () => 3 });
    this.#random = random;
    this.#name = name;
  }

  async step(): Promise<void> {
    const key = keys[this.#random.below(keys.length)] ?? "a";
    try {
      const { values, context } = await this.#session.get(key);
      this.counts.read += 1;
      this.#judge(key, readContext(context.bytes), values.map(textOf));
      if (this.#random.below(3) === 0) return;
      const value = `${this.#name}.${this.counts.read}`;
      const stored = await this.#session.put(key, value, { context });
      this.counts.wrote += 1;
      this.#judge(key, readContext(stored.context.bytes), undefined);
    } catch (error) {
      const isToldSo = isClusterError(error, "SESSION_NOT_SATISFIED");
      this.counts[isToldSo ? "refused" : "failed"] += 1;
    }
  }

  #judge(key: string, context: CausalContext, values: readonly string[] | undefined): void {
    const last = this.#last.get(key);
    if (last !== undefined && !contains(context, last.context)) {
      this.wrongs.push(`${this.#name} goes back behind what it knew of ${key}`);
    }
    this.#last.set(key, { context, values: values ?? last?.values ?? [] });
    if (values === undefined) return;
    for (const value of values) {
      if (this.#gone.has(value)) this.wrongs.push(`${this.#name} sees ${value} again`);
    }
    for (const value of last?.values ?? []) if (!values.includes(value)) this.#gone.add(value);
  }
}

test.each([seed, seed + 1])("sessions never go back, seed %i", async (own) => {
  const cleanup = { intervalMs: 1e9 };
  const world = new World({ seed: own, nodes: 5, w: 2, r: 1, diskMsMax: 3, cleanup, tickMs: 25 });
  await world.start();
  world.network.weather = rough;
  const until = world.timeline.now + 12_000;
  const programs = ["u", "v", "w", "x"].map((name, i) => {
    const random = seededRandom(own * 17 + i);
    const program = new Program(world, name, random);
    const loop = async (): Promise<void> => {
      while (world.timeline.now < until) {
        await program.step();
        await world.pause(5 + random.below(30));
      }
    };
    void loop();
    return program;
  });
  const operator = new Operator();
  const kinds = [crashes(operator, 3), blackouts(operator), cuts, freezes];
  const done = await makeTrouble(world, { seed: own, ms: 12_000, kinds });
  const told = programs.map(({ counts }) => counts);
  const story = [`SEED=${own}`, ...done, JSON.stringify(told)].join("\n");
  expect([...world.watch.wrongs, ...programs.flatMap(({ wrongs }) => wrongs)], story).toEqual([]);
  expect(
    told.reduce((sum, { read }) => sum + read, 0),
    story,
  ).toBeGreaterThan(50);
  expect(
    told.reduce((sum, { wrote }) => sum + wrote, 0),
    story,
  ).toBeGreaterThan(20);
});
