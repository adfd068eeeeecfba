/** The benchmark believes no engine: a row whose answers are wrong has no rate. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { keyOf, Values } from "../bench/keys.ts";
import { loadHistograms } from "../bench/latency.ts";
import { runRow } from "../bench/row-runner.ts";
import type { Target } from "../bench/target.ts";
import { workloads } from "../bench/workloads.ts";

describe("the answers of an engine are checked", () => {
  const n = 500;
  const values = new Values(20);
  const readers = workloads.filter(
    ({ durability, operation, mix }) =>
      durability === "read" || (operation === "mix" && mix?.insert === 0),
  );
  const cases = readers.flatMap((workload) =>
    workload.callers.map((callers) => ({ name: workload.name, callers, workload })),
  );
  const run = async (target: Target, { callers, workload }: (typeof cases)[number]) => {
    await loadHistograms();
    const directory = mkdtempSync(join(tmpdir(), "everwrite-bench-test-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const limits = { n, secondsMax: 10, seed: 3, directory, unchecked: false };
    const all = { ...workload, share: 1 };
    return runRow({ ...limits, target, workload: all, callers, values });
  };

  test.each(cases)("$name ×$callers has a rate where they are right", async (row) => {
    const measured = await run(mapTarget({ n, values }), row);
    expect(measured?.rate).toBeGreaterThan(0);
    expect(measured?.cutShort).toBe(false);
  });

  test.each(cases.filter(({ workload }) => workload.operation !== "missing"))(
    "$name ×$callers fails where a fifth of the keys is lost",
    async (row) => {
      await expect(run(mapTarget({ n, values, lost: 5 }), row)).rejects.toThrow(/found|gave/);
    },
  );
});

/** An engine in memory that holds n entries, or has lost every so-manieth of them. */
function mapTarget(holds: { n: number; values: Values; lost?: number }): Target {
  const { n, values, lost } = holds;
  const entries = new Map<string, Buffer>();
  for (let i = 0; i < n; i++) {
    if (lost === undefined || i % lost !== 0) entries.set(keyOf(i).toString(), values.of(i));
  }
  const get = (key: Buffer) => entries.get(key.toString());
  const put = async (key: Buffer, value: Buffer) => void entries.set(key.toString(), value);
  return {
    put,
    delete: async (key) => entries.delete(key.toString()),
    batch: async (all) => void (await Promise.all(all.map(({ key, value }) => put(key, value)))),
    get: async (key) => get(key),
    getSync: get,
    getMany: async (keys) => keys.map(get),
    scan: async ({ from, count = n }) =>
      from === undefined ? entries.size : get(from) === undefined ? 0 : count,
    close: async () => {},
  };
}
