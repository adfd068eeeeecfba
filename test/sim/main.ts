/** `npm run sim`: random runs from the command line. See run.ts for what one is. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { commandOf } from "./command.ts";
import { kindNames } from "./kinds.ts";
import { Operator } from "./operator.ts";
import { type Outcome, type RunOptions, runSeed } from "./run.ts";
import { shrink } from "./shrink.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    /** So many seeds, from that one on. */
    seeds: { type: "string", default: "1" },
    nodes: { type: "string" },
    seconds: { type: "string", default: "60" },
    clients: { type: "string" },
    without: { type: "string" },
    script: { type: "string" },
    "until-event": { type: "string" },
    /** Makes a failing run smaller, and keeps it under a name in test/sim/corpus. */
    shrink: { type: "boolean", default: false },
    name: { type: "string" },
    /** Goes on after a failure. */
    all: { type: "boolean", default: false },
  },
});

const runsMax = 200;
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);
const listOf = (text: string | undefined): string[] | undefined =>
  text?.split(",").filter((word) => word !== "");

const without = listOf(values.without);
const known = kindNames(new Operator());
for (const name of without ?? []) {
  if (known.includes(name)) continue;
  print(`there is no kind of fault ${name}; there are ${known.join(", ")}`);
  process.exit(2);
}

let seed = Number(values.seed);
process.on("unhandledRejection", (error) => {
  print(`seed ${seed}: FAILED, a rejection that nobody handles`);
  print(error instanceof Error ? (error.stack ?? error.message) : String(error));
  print(`repeat with: ${commandOf(optionsOf(seed))}`);
  process.exit(1);
});

const end = seed + Number(values.seeds);
for (; seed < end; seed++) {
  const options = optionsOf(seed);
  const outcome = await runAndTell(options);
  if (outcome.wrongs.length === 0) continue;
  print(`repeat with: ${commandOf(options)}`);
  process.exitCode = 1;
  if (values.shrink) await shrinkAndKeep(options);
  if (!values.all) break;
}

function optionsOf(one: number): RunOptions {
  return {
    seed: one,
    nodes: numberOf(values.nodes),
    seconds: Number(values.seconds),
    clients: numberOf(values.clients),
    without,
    script: listOf(values.script),
    eventsMax: numberOf(values["until-event"]),
  };
}

async function runAndTell(options: RunOptions): Promise<Outcome> {
  const began = performance.now();
  const outcome = await runSeed(options);
  const { world, history, clients, story, struck, wrongs, convergedMs, isBeyond } = outcome;
  const tookS = (performance.now() - began) / 1_000;
  const simulatedS = (world.timeline.now - world.timeline.start) / 1_000;
  if (wrongs.length > 0 || options.eventsMax !== undefined) print(story);
  for (const line of world.trace.lines) print(line);
  for (const wrong of wrongs) print(`WRONG ${wrong}`);
  const acked = history.filter(({ outcome: how }) => how === "acked").length;
  const answered = clients.reduce((sum, client) => sum + client.answered, 0);
  print(
    [
      `seed ${options.seed}: ${wrongs.length === 0 ? "ok" : "FAILED"}`,
      isBeyond ? "beyond what is promised" : "within what is promised",
      `${struck.length} strikes, ${world.timeline.happened} events`,
      `${simulatedS.toFixed(0)} s simulated in ${tookS.toFixed(1)} s`,
      `${answered} operations answered, ${acked} of ${history.length} writes acknowledged`,
      `agreed after ${((convergedMs ?? Number.NaN) / 1_000).toFixed(1)} s`,
      `trace ${world.trace.digest()}`,
    ].join(", "),
  );
  return outcome;
}

async function shrinkAndKeep(options: RunOptions): Promise<void> {
  const shrunk = await shrink(options, { run: runSeed, runsMax, said: print });
  if (shrunk === undefined) return print("it does not fail again");
  const { options: run, wrongs, runs } = shrunk;
  const path = join("test", "sim", "corpus", `${values.name ?? `seed-${run.seed}`}.json`);
  const why = `found by seed ${options.seed}: ${wrongs[0]?.split("\n")[0] ?? ""}`;
  writeFileSync(path, `${JSON.stringify({ why, run }, undefined, 2)}\n`);
  print(`after ${runs} runs: ${commandOf(run)}`);
  for (const wrong of wrongs) print(`WRONG ${wrong}`);
  print(`kept as ${path}`);
}
