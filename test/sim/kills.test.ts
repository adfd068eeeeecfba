/**
 * A node joins under load, and whoever is about to do the next step dies first: source, target,
 * proposer and voters, at every kind of step that the change is made of. The change goes on where
 * it was, or is taken back, and nothing is lost.
 */
import { expect, test } from "vitest";
import type { Effect } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { findWrongs } from "./checks.ts";
import { heldIn } from "./inspect.ts";
import { startClient } from "./load.ts";
import { put } from "./story.ts";
import { World } from "./world.ts";

const seed = Number(process.env["SEED"] ?? 1);
/** By default the first step of each kind; with KILLS=all also those in the middle and the last. */
const isWhole = process.env["KILLS"] === "all";
const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);
const address = "newcomer:7400";

/** The steps of a change, by what others see of them; whatever goes on anyway is none. */
function stepIn(effect: Effect): string | undefined {
  if (effect.kind === "store") {
    const { work } = effect;
    if (work.kind === "save-meta") return `saving ${work.name}`;
    return ["renew-actor", "drop-partition"].includes(work.kind) ? work.kind : undefined;
  }
  if (effect.kind !== "send") return undefined;
  const { kind } = effect.message;
  const isStep = /^(transfer|filled|prepare|promise|accept|ring$)/.test(kind);
  return isStep ? `sending ${kind}` : undefined;
}

interface Death {
  readonly step: string;
  readonly nth: number;
}

interface Played {
  readonly world: World;
  readonly steps: ReadonlyMap<string, number>;
  readonly victim: NodeId | undefined;
}

/** Lets the newcomer in through whoever answers. */
async function joinSomehow(world: World): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const via = world.serving[attempt % world.serving.length] ?? 1;
    const joined = await world.join(via, { address }).catch(() => undefined);
    if (joined !== undefined) return;
    await world.run(1_000);
  }
  throw new Error("nobody let the newcomer in");
}

async function play(death: Death | undefined): Promise<Played> {
  const world = new World({ seed, nodes: 4, partitions: 8 });
  await world.start();
  for (const [i, key] of keys.entries()) await put(world, (i % 4) + 1, key, `old ${i}`);
  await world.run(5_000);
  const { client, history } = startClient(world, { keys, seed, ms: 15_000, pauseMs: 25 });
  const steps = new Map<string, number>();
  let victim: NodeId | undefined;
  world.beforeEffect = (node, effect) => {
    const step = stepIn(effect);
    if (step === undefined) return;
    const nth = (steps.get(step) ?? 0) + 1;
    steps.set(step, nth);
    if (victim !== undefined || step !== death?.step || nth !== death.nth) return;
    victim = node;
    world.crash(node, 0);
  };
  await joinSomehow(world);
  // Whatever was in the middle of dying is started again a little later.
  for (let i = 0; i < 12; i++) {
    if (i === 11) world.beforeEffect = () => {};
    await world.run(2_500);
    for (const id of world.startable) await world.restart(id);
  }
  await world.run(60_000);
  expect(world.ring.moves).toEqual([]);
  expect(world.ring.members.map(({ state }) => state)).toEqual(Array(5).fill("member"));
  const old = keys.map((key, i) => ({
    ...{ key, value: `old ${i}`, knew: [], outcome: "acked" as const },
  }));
  const all = [...old, ...history];
  expect(findWrongs(all, await heldIn(world, keys))).toEqual([]);
  const wrongs = client.wrongs.filter((wrong) => !wrong.includes(": old "));
  expect([...world.watch.wrongs, ...wrongs]).toEqual([]);
  return { world, steps, victim };
}

test("whoever dies at whatever step, the newcomer gets its share and nothing is lost", async () => {
  const { steps } = await play(undefined);
  expect([...steps.keys()]).toEqual(
    expect.arrayContaining(["sending transfer-chunk", "sending accept", "saving ring"]),
  );
  const deaths = [...steps].flatMap(([step, count]): Death[] => {
    const whole = [1, Math.ceil(count / 2), count];
    const nths = new Set(isWhole ? whole : [1]);
    return [...nths].map((nth) => ({ step, nth }));
  });
  for (const death of deaths) {
    const name = `SEED=${seed}: the ${death.nth}th ${death.step}`;
    const { victim } = await play(death).catch((error: unknown) => {
      throw new Error(name, { cause: error });
    });
    expect(victim, name).toBeDefined();
  }
}, 600_000);
