/** Failing runs get smaller, while they fail in the same way. */
import { expect, test } from "vitest";
import { commandOf, parseKept } from "./command.ts";
import type { RunOptions } from "./run.ts";
import { shrink, type Trial } from "./shrink.ts";

const all = Array.from({ length: 40 }, (_, i) => `${i % 2 === 0 ? "crash" : "cut"} ${i}`);

/** As a cluster that breaks when all of these strikes meet it, and at least so many nodes. */
function breaksBy(needed: readonly string[], nodesMin: number) {
  return async (options: RunOptions): Promise<Trial> => {
    const { script = all, without = [], nodes = 5 } = options;
    const struck = script.filter((name) => !without.includes(name.replace(/ \d+$/, "")));
    const isBroken = needed.every((name) => struck.includes(name)) && nodes >= nodesMin;
    return {
      struck,
      wrongs: isBroken ? [`b: y.${struck.length} was acknowledged, and is lost`] : [],
    };
  };
}

test("what is not needed goes: kinds, nodes, clients, time, and strike by strike", async () => {
  const run = breaksBy(["crash 4", "crash 30"], 4);
  const shrunk = await shrink({ seed: 7, seconds: 20 }, { run, runsMax: 200 });
  expect(shrunk?.options).toEqual({
    seed: 7,
    ...{ seconds: 2, nodes: 4, clients: 1, script: ["crash 4", "crash 30"] },
    without: ["cut", "echo", "repeat", "loss", "latency"],
  });
  expect(shrunk?.wrongs).toHaveLength(1);
});

test("strikes of several kinds that only fail together stay together", async () => {
  const needed = ["cut 1", "crash 16", "cut 39"];
  const shrunk = await shrink({ seed: 7 }, { run: breaksBy(needed, 1), runsMax: 500 });
  expect(shrunk?.options.script).toEqual(needed);
});

test("a failure of another kind does not count, and a run that passes is none", async () => {
  const run = async ({ nodes = 5 }: RunOptions): Promise<Trial> => ({
    struck: [],
    wrongs: [nodes === 5 ? "a: x.1 was read and never written" : "the ring does not come to rest"],
  });
  const shrunk = await shrink({ seed: 1 }, { run, runsMax: 50 });
  expect(shrunk?.options.nodes).toBeUndefined();
  const fine = async (): Promise<Trial> => ({ struck: [], wrongs: [] });
  expect(await shrink({ seed: 1 }, { run: fine, runsMax: 50 })).toBeUndefined();
});

test("it ends after so many runs", async () => {
  const shrunk = await shrink({ seed: 7 }, { run: breaksBy(["cut 1"], 1), runsMax: 9 });
  expect(shrunk?.runs).toBe(9);
});

test("a run is said as the command that repeats it, and a kept one as what was kept", () => {
  const run = { seed: 7, seconds: 5, nodes: 4, without: ["cut"], script: ["crash 3", "join 1"] };
  expect(commandOf(run)).toBe(
    'npm run sim -- --seed 7 --seconds 5 --nodes 4 --without cut --script "crash 3,join 1"',
  );
  expect(parseKept(JSON.stringify({ why: "found once", run }))).toEqual({ why: "found once", run });
  expect(() => parseKept('{"why":"no seed","run":{}}')).toThrow("seed");
});
