/**
 * What a soak is made of: for each kind of campaign its goal in eight hours, how one task of it is
 * started, how many units it did, and the command that repeats it. Seeds begin where `npm test`
 * does not, and go on from one task to the next.
 */
import { join } from "node:path";
import { readPatches } from "../mutants/patches.mjs";
import { programOf } from "../support/run-compiled.mjs";

const minute = 60_000;
const node = process.execPath;
const vitest = [node, join("node_modules", "vitest", "vitest.mjs"), "run"];
const unit = [...vitest, "--config", "test/vitest.config.ts"];

/**
 * Programs are compiled before, and the package if `onBuilt` says so. `task(next)` gives
 * where the next task goes on, and how to repeat it. `count(output)` says how many it did.
 */
export const kinds = [
  {
    name: "sim",
    isProgram: true,
    unit: "seeds of 60 s",
    goal: 10_000,
    atMost: 64,
    limitMs: 30 * minute,
    first: 1_000_000,
    task: (seed) => ({
      command: [node, programOf("sim"), ...words(`--seed ${seed} --seeds 10 --seconds 60 --all`)],
      units: 10,
      next: seed + 10,
      repeat: `npm run sim -- --seed ${seed} --seeds 10 --seconds 60`,
    }),
    count: (output) => [...output.matchAll(/^seed \d+: ok/gm)].length,
  },
  {
    name: "crash",
    unit: "crash states",
    goal: 1_000_000,
    atMost: 64,
    limitMs: 30 * minute,
    first: 1_000_000,
    // A round takes the scripts of a thousand seeds' range, and checks some 20,000 states.
    task: (seed) => ({
      command: [node, "test/crash-campaign.mjs", ...words(`--seed ${seed} --states 1`)],
      units: 20_000,
      next: seed + 1000,
      repeat: `npm run crash -- --seed ${seed} --states 1`,
    }),
    count: (output) => last(output, /(\d+) states so far/g),
  },
  {
    name: "power-cut",
    onBuilt: true,
    unit: "power cuts",
    goal: 5_000,
    // The kernel shuts one file system down after the other anyway.
    atMost: 1,
    limitMs: 10 * minute,
    first: 1000,
    task: (seed) => ({
      command: [node, "test/power-cut.mjs", ...words(`--cycles 200 --seconds 90 --seed ${seed}`)],
      units: 200,
      next: seed + 1,
      repeat: `npm run power-cut -- --cycles 200 --seconds 90 --seed ${seed}`,
    }),
    count: (output) => last(output, /^power-cut: (\d+) cycles/gm),
    skipped: (output) => /^power-cut: skipped: (.*)$/m.exec(output)?.[1],
  },
  {
    name: "kill",
    onBuilt: true,
    unit: "kills",
    goal: 2_000,
    atMost: 64,
    limitMs: 15 * minute,
    first: 1000,
    task: (seed) => ({
      command: [...unit, "test/engine/kill.test.ts"],
      environment: { KILLS: "100", SEED: String(seed) },
      units: 100,
      next: seed + 1,
      repeat: `KILLS=100 SEED=${seed} npm run unit -- test/engine/kill.test.ts`,
    }),
    count: (_output, code) => (code === 0 ? 100 : 0),
  },
  {
    name: "nemesis",
    onBuilt: true,
    unit: "runs of 120 s",
    goal: 60,
    // Its faults are of the whole machine: full disks, stopped processes, namespaces.
    atMost: 1,
    limitMs: 15 * minute,
    first: 1000,
    task: (seed) => ({
      command: [node, "test/nemesis/run.mjs", ...words(`--seed ${seed} --seconds 120`)],
      units: 1,
      next: seed + 1,
      repeat: `npm run nemesis -- --seed ${seed} --seconds 120`,
    }),
    count: (_output, code) => (code === 0 ? 1 : 0),
  },
  {
    name: "fuzz",
    isProgram: true,
    unit: "decoder inputs",
    goal: 200_000_000,
    atMost: 64,
    limitMs: 20 * minute,
    first: 1000,
    task: (seed) => ({
      command: [node, programOf("fuzz"), ...words(`--inputs 2000000 --seed ${seed}`)],
      units: 2_000_000,
      next: seed + 1,
      repeat: `npm run fuzz -- --inputs 2000000 --seed ${seed}`,
    }),
    count: (output) => last(output, /^fuzz: (\d+) inputs/gm),
  },
  mutants(),
];

/** All of them once; a second time would say nothing new. */
function mutants() {
  const names = readPatches().map(({ name }) => name);
  const atOnce = 4;
  return {
    name: "mutants",
    unit: "mutants killed",
    goal: names.length,
    atMost: 64,
    limitMs: 45 * minute,
    first: 0,
    task: (from) => {
      const some = names.slice(from, from + atOnce);
      if (some.length === 0) return undefined;
      return {
        command: [node, "test/mutants/run.mjs", "--jobs", "1", ...some],
        units: some.length,
        next: from + some.length,
        repeat: `npm run mutants -- ${some.join(" ")}`,
      };
    },
    count: (output) => last(output, /^(\d+) of \d+ mutants killed/gm),
  };
}

function words(text) {
  return text.split(" ");
}

/** The number in the last match, or none. */
function last(output, form) {
  return Number([...output.matchAll(form)].at(-1)?.[1] ?? 0);
}
