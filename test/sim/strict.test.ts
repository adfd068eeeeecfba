/**
 * Strict quorums (r + w > n, owners only) among crashes, cuts, standstill and loss, while owners
 * stay who they are: whoever reads after an acknowledgement knows of what was acknowledged. The
 * watch judges each answer; here is only who asks.
 */
import { expect, test } from "vitest";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { cuts } from "./faults/network.ts";
import { blackouts, crashes, freezes } from "./faults/process.ts";
import { rough } from "./network.ts";
import { Operator } from "./operator.ts";
import { makeTrouble, settle } from "./trouble.ts";
import { findUnrest } from "./unrest.ts";
import { keyFrom } from "./workload.ts";
import { World } from "./world.ts";

const seed = Number(process.env["SEED"] ?? 1);
const about = { strict: true, deadlineMs: 600, trace: false };

async function ask(world: World, random: Random, name: string): Promise<"read" | "wrote" | "no"> {
  const node = world.serving[random.below(Math.max(1, world.serving.length))] ?? 1;
  const key = keyFrom(`key ${random.below(4)}`);
  const found = await world.request(node, { kind: "get", key, r: 2, ...about });
  if (found?.kind !== "found") return "no";
  if (random.below(2) === 0) return "read";
  const at = Math.floor(world.timeline.now);
  const operation = { at, nonce: random.below(2 ** 32), retried: false };
  const { context } = found;
  const value = Buffer.from(name);
  const more = { context, value, operation, ttlMs: 0, w: 2, ...about };
  const stored = await world.request(node, { kind: "put", key, ...more });
  return stored?.kind === "stored" ? "wrote" : "no";
}

test.each([seed, seed + 1])("strict reads know of strict writes, seed %i", async (own) => {
  // What a clean-up strips is known no longer to contexts, and would look forgotten.
  const cleanup = { intervalMs: 1e9 };
  const world = new World({ seed: own, nodes: 5, diskMsMax: 3, cleanup, tickMs: 25 });
  await world.start();
  world.network.weather = rough;
  const counts = { read: 0, wrote: 0, no: 0 };
  const until = world.timeline.now + 20_000;
  for (const name of ["u", "v", "w", "x"]) {
    const random = seededRandom(own * 31 + name.charCodeAt(0));
    const loop = async (): Promise<void> => {
      for (let i = 0; world.timeline.now < until; i++) {
        counts[await ask(world, random, `${name}.${i}`)] += 1;
        await world.pause(5 + random.below(30));
      }
    };
    void loop();
  }
  const operator = new Operator();
  const kinds = [crashes(operator, 3), blackouts(operator), cuts, freezes];
  const done = await makeTrouble(world, { seed: own, ms: 20_000, kinds });
  await settle(world, 60_000);
  expect(world.watch.wrongs, [`SEED=${own}`, ...done].join("\n")).toEqual([]);
  expect(world.watch.answers.isSteady).toBe(true);
  expect(await findUnrest(world)).toEqual([]);
  expect(counts.read, JSON.stringify(counts)).toBeGreaterThan(50);
  expect(counts.wrote).toBeGreaterThan(50);
});
