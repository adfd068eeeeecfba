/**
 * `npm run mutants [-- NAME… | --set SET…] [--jobs N] [--titles]`: breaks the sources in one way
 * after the other and runs the test that must notice. A mutant that survives is a promise that no
 * test keeps: the other tests of its set are asked then, so that it is seen who keeps it after all.
 * All happens on copies of the sources, so the checkout stays as it is. `--titles` runs whole files
 * and says which test fails, for the line `Title:` of a patch.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readPatches } from "./patches.mjs";
import { Workbench } from "./workbench.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    set: { type: "string", multiple: true },
    jobs: { type: "string" },
    titles: { type: "boolean", default: false },
  },
});
const all = readPatches();
const sets = (values.set ?? []).flatMap((text) => text.split(","));
const patches = all.filter(({ name, set }) => {
  const isAny = positionals.length === 0 && sets.length === 0;
  return isAny || positionals.includes(name) || sets.includes(set);
});
const jobs = Math.max(1, Number(values.jobs ?? Math.min(2, availableParallelism())) || 1);

const startedAt = Date.now();
const survivors = [];
const unexpected = [];
const width = Math.max(...patches.map(({ name }) => name.length));
const queue = [...patches];
await Promise.all(Array.from({ length: Math.min(jobs, patches.length) }, work));
const seconds = Math.round((Date.now() - startedAt) / 1000);
const killed = patches.length - survivors.length;
console.log(`\n${killed} of ${patches.length} mutants killed in ${seconds} s`);
if (survivors.length > 0) console.log(`survived: ${survivors.join(", ")}`);
if (unexpected.length > 0) console.log(`killed by another than expected: ${unexpected.join(", ")}`);
process.exitCode = survivors.length > 0 || patches.length === 0 ? 1 : 0;

async function work() {
  const bench = new Workbench(root);
  for (let patch = queue.shift(); patch !== undefined; patch = queue.shift()) {
    const began = Date.now();
    const judging = bench.with(patch, () => judge(bench, patch));
    const verdict = (await judging) ?? { said: "the patch does not apply" };
    if (verdict.killer === undefined) survivors.push(patch.name);
    else if (verdict.killer !== patch.killer) unexpected.push(patch.name);
    const mark = verdict.killer === undefined ? "SURVIVED " : "killed by";
    const who = verdict.killer ?? patch.killer;
    const took = `${((Date.now() - began) / 1000).toFixed(1)} s`;
    console.log(`${patch.name.padEnd(width)}  ${mark}  ${who}  ${took}  ${verdict.said}`);
    if (values.titles) console.log(`TITLE ${patch.name}: ${verdict.title}`);
  }
  await bench.close();
}

/** The test that is named first, then its file, then the killers of all others of the set. */
async function judge(bench, patch) {
  const others = all.filter(({ set }) => set === patch.set).map(({ killer }) => killer);
  const named = { killer: patch.killer, title: patch.title };
  const whole = [...new Set([patch.killer, ...others])].map((killer) => ({ killer, title: "" }));
  let first;
  for (const { killer, title } of patch.title === "" || values.titles ? whole : [named, ...whole]) {
    const verdict = await bench.run(killer, { title, hangs: patch.hangs });
    first ??= verdict;
    if (verdict.isKilled) return { ...verdict, killer };
    // A mutant that hangs, or does not load, would do so in every test.
    if (verdict.isOver) break;
  }
  return { ...first, killer: undefined };
}
