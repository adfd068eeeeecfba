/**
 * The process that runs one plan. It gets the plan as its argument and sends each row as soon as
 * it is measured. An engine has a process of its own, so that none pays for another's garbage,
 * compiled code or page faults.
 */
import { Values } from "./keys.ts";
import { loadHistograms } from "./latency.ts";
import { loadAndRest } from "./load.ts";
import { send, serve } from "./parent.ts";
import type { Plan, RowDone } from "./plan.ts";
import { runRow } from "./row-runner.ts";
import { targetNamed } from "./targets/all.ts";
import { workloadNamed } from "./workloads.ts";

serve(async (plan: Plan) => {
  await loadHistograms();
  const { engine, n, valueBytes, secondsMax, round, directory } = plan;
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
      await send<RowDone>({ kind: "row", engine, ...key, measurement });
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      await send<RowDone>({ kind: "row", engine, ...key, measurement: undefined, failure });
    }
  }
  await target.close();
});
