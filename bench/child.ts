/**
 * The process that runs one plan. It gets the plan as its argument and sends each row as soon as
 * it is measured. An engine has a process of its own, so that none pays for another's garbage,
 * compiled code or page faults.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Values } from "./keys.ts";
import { loadHistograms } from "./latency.ts";
import { loadAndRest } from "./load.ts";
import type { Plan, RowDone } from "./plan.ts";
import { runRow } from "./row-runner.ts";
import { targetNamed } from "./targets/all.ts";
import { workloadNamed } from "./workloads.ts";

async function main(plan: Plan): Promise<void> {
  await loadHistograms();
  const directory = mkdtempSync(join(plan.directory, "everwrite-bench-"));
  try {
    await runPlan(plan, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runPlan(plan: Plan, parent: string): Promise<void> {
  const { engine, n, valueBytes, secondsMax, round } = plan;
  const directory = join(parent, "db");
  mkdirSync(directory);
  const chosen = plan.rows.map(({ workload, callers }) => ({
    ...workloadNamed(workload),
    callers,
  }));
  const durable = chosen.some(({ durability }) => durability === "power cut");
  const values = new Values(valueBytes);
  const target = await targetNamed(engine).open({ directory, durable });
  if (plan.kind !== "fill") await loadAndRest({ target, n, values });
  for (const { callers, ...workload } of chosen) {
    const key = { workload: workload.name, callers, n, valueBytes };
    const settings = { workload: { ...workload, callers: [callers] }, callers, n, values };
    const where = { target, directory, secondsMax, seed: 7 * round + callers };
    try {
      const measurement = await runRow({
        ...settings,
        ...where,
        unchecked: engine === "(driver)",
      });
      await send({ kind: "row", engine, ...key, measurement });
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      await send({ kind: "row", engine, ...key, measurement: undefined, failure });
    }
  }
  await target.close();
}

function send(message: RowDone): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) throw new Error("this file is run by the benchmark");
    process.send(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

main(JSON.parse(process.argv[2] ?? "null") as Plan).then(
  () => process.disconnect(),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
