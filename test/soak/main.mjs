/**
 * `npm run soak -- [--hours H] [--jobs N] [--only KIND,…] [--directory DIR] [--fresh]`: every
 * campaign of the project, side by side and in proportion, for so many hours. It can be stopped
 * (Ctrl-C) and goes on where it was. Of each failure it keeps the output and the command that
 * repeats it; it goes on to the next task, and ends with 1.
 */
import { spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compile } from "../support/run-compiled.mjs";
import { kinds } from "./kinds.mjs";
import { State } from "./state.mjs";
import { tableOf } from "./table.mjs";

const { values } = parseArgs({
  options: {
    hours: { type: "string", default: "8" },
    jobs: { type: "string", default: String(availableParallelism()) },
    only: { type: "string" },
    directory: { type: "string", default: join("node_modules", ".cache", "everwrite-soak") },
    fresh: { type: "boolean", default: false },
  },
});
const hours = Number(values.hours);
const jobs = Math.max(1, Math.floor(Number(values.jobs)) || 1);
const only = values.only?.split(",");
const chosen = kinds.filter(({ name }) => only?.includes(name) ?? true);
/** How long a task that was told to end may take to clean up after itself. */
const farewellMs = 20_000;
/** The end of what a task prints: a failure prints what it is last. */
const outputCharactersMax = 200_000;

if (!(hours > 0) || chosen.length === 0) {
  console.error(`--hours above 0; --only some of ${kinds.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
prepare();
const state = new State(values.directory, { fresh: values.fresh });
const startedAt = Date.now();
const deadline = startedAt + hours * 3_600_000;
const running = new Set();
let isStopping = false;
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, stop);

say(`${hours} hours, ${jobs} at a time; the state is in ${state.path}`);
if (state.spentMs > 0) say(`going on after ${duration(state.spentMs)}`);
await Promise.all(Array.from({ length: jobs }, work));
state.spend(Date.now() - startedAt);
console.log(`\n${tableOf(chosen, state)}`);
for (const { kind, why, repeat, log } of state.failures) {
  console.log(`FAILED ${kind}: ${why}\n  repeat with: ${repeat}\n  its output: ${log}`);
}
const verdict = state.failures.length === 0 ? "no failure" : `${state.failures.length} failures`;
console.log(`soak: ${duration(state.spentMs)} in all, ${verdict}; the state is in ${state.path}`);
process.exitCode = state.failures.length > 0 ? 1 : isStopping ? 130 : 0;

/** What the tasks run: the package, and the programs that are written in TypeScript. */
function prepare() {
  const tsc = [join("node_modules", "typescript", "bin", "tsc"), "-p", "."];
  const isReady =
    !chosen.some(({ onBuilt }) => onBuilt) ||
    spawnSync(process.execPath, tsc, { stdio: "inherit" }).status === 0;
  if (!isReady) process.exit(1);
  for (const { name, isProgram } of chosen) if (isProgram) compile(name);
}

/** One lane: the kind that lags behind most comes next. */
async function work() {
  while (!isStopping && Date.now() < deadline) {
    const kind = nextKind();
    if (kind === undefined) return;
    const start = state.startOf(kind);
    const task = kind.task(start);
    state.begin(kind, start, task.next);
    const entry = { kind, units: task.units, child: undefined };
    running.add(entry);
    await run(kind, { ...task, start }, entry);
    running.delete(entry);
  }
}

function nextKind() {
  const left = deadline - Date.now();
  const ready = chosen.filter((kind) => {
    const { skipped, tasks, ms } = state.of(kind);
    const active = [...running].filter((entry) => entry.kind === kind).length;
    // One that would probably not end in time is not begun.
    const fits = tasks === 0 || ms / tasks < left;
    return (
      skipped === undefined &&
      active < kind.atMost &&
      fits &&
      kind.task(state.startOf(kind)) !== undefined
    );
  });
  return ready.sort((a, b) => progressOf(a) - progressOf(b))[0];
}

/** What is under way counts, so that two lanes do not both take what lags behind. */
function progressOf(kind) {
  const underWay = [...running].filter((entry) => entry.kind === kind);
  const units = underWay.reduce((sum, entry) => sum + entry.units, 0);
  return (state.of(kind).done + units) / kind.goal;
}

async function run(kind, task, entry) {
  const began = Date.now();
  // A task may end a little after the time is up, but not hold the soak up.
  const limitMs = Math.min(kind.limitMs, deadline - began + 5 * 60_000);
  const { code, output, isCutOff } = await start(task, entry, limitMs);
  const ms = Date.now() - began;
  if (isStopping || (isCutOff && limitMs < kind.limitMs)) return;
  const done = kind.count(output, code);
  const skipped = kind.skipped?.(output);
  state.finished(kind, { start: task.start, done, ms, skipped });
  if (skipped !== undefined) say(`${kind.name}: skipped: ${skipped}`);
  else if (code === 0 && !isCutOff) say(`${kind.name}: ${done} ${kind.unit} in ${duration(ms)}`);
  else {
    const why = isCutOff ? `not over after ${duration(ms)}` : `ended with ${code}`;
    const said = [...output.matchAll(/(?:repeat with: |^FAILED )(npm run [^:\n]*)/gm)];
    const repeat = said.map(([, line]) => line).join("\n               ") || task.repeat;
    const log = state.failed(kind, { repeat, why, output });
    say(`${kind.name}: FAILED, ${why}; repeat with: ${repeat}; see ${log}`);
  }
}

function start({ command, environment }, entry, limitMs) {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    // A group of its own, so that it can be ended with all that it started.
    const child = spawn(program, args, {
      env: { ...process.env, NO_COLOR: "1", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    entry.child = child;
    let output = "";
    let isCutOff = false;
    const add = (chunk) => {
      output = (output + chunk).slice(-outputCharactersMax);
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    const timer = setTimeout(() => {
      isCutOff = true;
      end(child);
    }, limitMs);
    child.on("error", add);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output, isCutOff });
    });
  });
}

/** It may clean up first. */
function end(child) {
  signal(child, "SIGINT");
  setTimeout(() => signal(child, "SIGKILL"), farewellMs).unref();
}

function signal({ pid }, name) {
  try {
    process.kill(-pid, name);
  } catch {
    // All of it has ended by itself.
  }
}

function stop() {
  if (isStopping) for (const { child } of running) signal(child, "SIGKILL");
  isStopping = true;
  say("stopping; once more ends it at once");
  for (const { child } of running) end(child);
}

function say(line) {
  console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
}

function duration(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
