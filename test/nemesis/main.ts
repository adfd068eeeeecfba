/**
 * `npm run nemesis`: runs from the command line; run.mjs compiles this and says what there is to
 * choose. Where namespaces are to be had, it starts itself again inside one of its own.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeFindings, examine } from "./doctor.ts";
import { kinds } from "./kinds.ts";
import { openHub } from "./namespaces.ts";
import { type NemesisOptions, type Outcome, runNemesis } from "./nemesis.ts";
import { Undoing } from "./undoing.ts";

const { values } = parseArgs({
  options: {
    package: { type: "string", default: "dist" },
    seed: { type: "string", default: "1" },
    /** So many seeds, from that one on. */
    seeds: { type: "string", default: "1" },
    seconds: { type: "string", default: "120" },
    nodes: { type: "string", default: "5" },
    without: { type: "string", multiple: true, default: [] },
    /** Only these kinds. */
    only: { type: "string", multiple: true, default: [] },
    pace: { type: "string", default: "1" },
    /** yes, no, or left out: every second seed. */
    tls: { type: "string" },
    keep: { type: "string" },
    hub: { type: "string" },
    doctor: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    /** The package is broken on purpose: a run that finds nothing has failed. */
    broken: { type: "boolean", default: false },
  },
});

/** What is broken on purpose need not be given time. */
const settleMsMax = values.broken ? 20_000 : 180_000;
const exits = { ok: 0, wrong: 1, usage: 2, interrupted: 130 };

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(exits.interrupted));
}
// Whatever may still be open: the verdict is in.
process.exit(await main());

async function main(): Promise<number> {
  const without = listOf(values.without);
  const only = listOf(values.only);
  const names = kinds.map(({ name }) => name);
  const unknown = [...without, ...only].filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    say(`there is no fault ${unknown.join(", ")}; there are ${names.join(", ")}`);
    return exits.usage;
  }
  const left = only.length === 0 ? without : names.filter((name) => !only.includes(name));
  if (values.doctor) return doctor();
  if (values.hub === undefined && !left.includes("vanish")) {
    const undoing = new Undoing();
    try {
      const hub = hubIn(undoing);
      if (hub !== undefined) return await runInside(hub);
    } finally {
      undoing.all();
    }
  }
  return runAll(left);
}

function doctor(): number {
  const scratch = mkdtempSync(join(tmpdir(), "everwrite-doctor-"));
  try {
    const findings = examine(scratch);
    process.stdout.write(
      values.json ? `${JSON.stringify(findings)}\n` : describeFindings(findings),
    );
    return exits.ok;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The run says why, where there is none: it examines the machine again. */
function hubIn(undoing: Undoing): string | undefined {
  const scratch = mkdtempSync(join(tmpdir(), "everwrite-doctor-"));
  try {
    const finding = examine(scratch).find(({ ability }) => ability === "namespaces");
    if (finding?.why !== undefined) return undefined;
    return openHub(`ew-${process.pid}`, undoing).name;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The same once more, where nothing but what it makes itself can be reached. */
function runInside(hub: string): Promise<number> {
  const args = ["--hub", hub, ...process.argv.slice(2)];
  const inside = [`--net=/run/netns/${hub}`, "--", process.execPath, process.argv[1] ?? ""];
  const child = spawn("nsenter", [...inside, ...args], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // It ends by itself then, having cleaned up, and so does this process.
    process.removeAllListeners(signal).on(signal, () => child.kill(signal));
  }
  return new Promise((resolve) => {
    child.once("error", () => resolve(exits.wrong));
    child.once("close", (code) => resolve(code ?? exits.wrong));
  });
}

async function runAll(without: readonly string[]): Promise<number> {
  const first = Number(values.seed);
  let found = 0;
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    const isClosed = values.tls === undefined ? seed % 2 === 1 : values.tls === "yes";
    if (values.keep !== undefined) mkdirSync(values.keep, { recursive: true });
    const options: NemesisOptions = {
      ...{ seed, without, isClosed, settleMsMax, say },
      seconds: Number(values.seconds),
      nodes: Number(values.nodes),
      pace: Number(values.pace),
      package: values.package,
      hub: values.hub,
      ...(values.keep === undefined
        ? {}
        : { keep: mkdtempSync(join(values.keep, `seed-${seed}-`)) }),
    };
    const outcome = await runNemesis(options);
    process.stdout.write(values.json ? `${JSON.stringify(outcome)}\n` : textOf(outcome));
    if (outcome.wrongs.length > 0) found += 1;
    if (found > 0) break;
  }
  if (values.broken) say(found > 0 ? "noticed" : "SURVIVED: no run noticed anything");
  return found > 0 === values.broken ? exits.ok : exits.wrong;
}

function textOf(outcome: Outcome): string {
  const { seed, calls, writes, wrongs, strikes, findings, skipped, deaths } = outcome;
  const share = ((100 * calls.done) / Math.max(1, calls.made)).toFixed(2);
  const failures = Object.entries(calls.failures).map(([code, count]) => `${code} ${count}`);
  const struck = Object.entries(strikes).map(([kind, count]) => `${kind} ${count}`);
  const lines = [
    ...wrongs.slice(0, 50).map((wrong) => `WRONG ${wrong}`),
    ...skipped.map((kind) => `SKIPPED ${kind}: ${whyOf(kind, findings)}`),
    `faults: ${struck.join(", ")}`,
    ...deaths.map((death) => `as its fault allows: ${death}`),
    `availability: ${share} % of ${calls.made} calls succeeded; longest time without one ` +
      `${(calls.longestGapMs / 1_000).toFixed(1)} s; ${failures.join(", ")}`,
    `writes: ${writes.acked} acknowledged, ${writes.maybe} in doubt, ${writes.failed} refused, ` +
      `on ${outcome.keys} keys; replicas agreed after ${(outcome.settleMs / 1_000).toFixed(1)} s`,
    `seed ${seed}: ${wrongs.length === 0 ? "ok" : `FAILED, ${wrongs.length} wrongs`}`,
  ];
  if (wrongs.length > 0) {
    lines.push(`again: npm run nemesis -- --seed ${seed} --seconds ${values.seconds}`);
  }
  return `${lines.join("\n")}\n`;
}

function whyOf(kind: string, findings: Outcome["findings"]): string {
  const needs = kinds.find(({ name }) => name === kind)?.needs ?? [];
  const missing = findings.filter(({ ability, why }) => needs.includes(ability) && why);
  return missing.map(({ why }) => why).join("; ") || "the run is in no namespace";
}

function listOf(given: readonly string[]): readonly string[] {
  return given.flatMap((text) => text.split(",")).filter((name) => name !== "");
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
