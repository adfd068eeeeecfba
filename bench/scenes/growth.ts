/**
 * Growth: the same reads at a tenth of the keys and at all of them, and how fast the last tenth of
 * a random load goes in. Debt counts: the drain behind the load is a fact of its own and part of
 * the whole load's rate. The two sizes run in processes of their own and do equally many reads:
 * in one process the second would find its code compiled, and look quicker than it is.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Values } from "../keys.ts";
import { givenBytes, load, loadAndRest, rest } from "../load.ts";
import { rowLabel } from "../measurement.ts";
import { diskBytes, usage } from "../resources.ts";
import { runRow } from "../row-runner.ts";
import type { Fact, SceneRequest } from "../scene.ts";
import type { Target } from "../target.ts";
import { targetNamed } from "../targets/all.ts";
import { workloads } from "../workloads.ts";

const secondsMax = 10;
const keptLeast = 75;

/** The reads, at a tenth of n. */
export async function growthSmall(request: SceneRequest): Promise<Fact[]> {
  const n = Math.floor(request.n / 10);
  return withTarget(request, "small", async (target, directory) => {
    await loadAndRest({ target, n, values: new Values(request.valueBytes) });
    return readRates({ request, target, directory, n });
  });
}

/** The load and the reads, at n. */
export async function growthLarge(request: SceneRequest): Promise<Fact[]> {
  return withTarget(request, "large", async (target, directory) => {
    const loaded = await timedLoad(request, target, directory);
    await rest(target);
    return [...loaded, ...(await readRates({ request, target, directory, n: request.n }))];
  });
}

/** What share of the rates of the small size is left at the large one. */
export function keptFacts(few: readonly Fact[], all: readonly Fact[]): Fact[] {
  return all.flatMap((fact): Fact[] => {
    const before = few.find(({ name }) => name === fact.name);
    if (before === undefined) return [fact];
    const { engine, name } = fact;
    const kept = { engine, name: `${name}, kept`, value: (100 * fact.value) / before.value };
    return [
      { ...before, name: `${name}, a tenth of the keys` },
      { ...fact, name: `${name}, all keys` },
      { ...kept, unit: "%", goal: { least: keptLeast } },
    ];
  });
}

async function timedLoad(
  { engine, n, valueBytes }: SceneRequest,
  target: Target,
  directory: string,
): Promise<Fact[]> {
  const values = new Values(valueBytes);
  const before = usage();
  let lastTenthAt = before.at;
  let filledAt = before.at;
  const ended = await load({
    target,
    n,
    values,
    onBatch: (entries) => {
      filledAt = performance.now();
      if (entries <= 0.9 * n) lastTenthAt = filledAt;
    },
  });
  const after = usage();
  const given = givenBytes(n, values);
  const facts: Fact[] = [
    fact("load, drained", (1000 * n) / (ended - before.at), "/s"),
    fact("load, last tenth", (1000 * (n / 10)) / (filledAt - lastTenthAt), "/s"),
    fact("load, last tenth with drain", (1000 * (n / 10)) / (ended - lastTenthAt), "/s"),
    fact("drain behind the load", (ended - filledAt) / 1000, "s"),
    fact("space amplification", diskBytes(directory) / given, "×"),
  ];
  if (after.writtenBytes !== undefined && before.writtenBytes !== undefined) {
    const written = after.writtenBytes - before.writtenBytes;
    facts.push(fact("write amplification", written / given, "×"));
  }
  return facts;

  function fact(name: string, value: number, unit: string): Fact {
    return { engine, name, value, unit };
  }
}

interface ReadRequest {
  readonly request: SceneRequest;
  readonly target: Target;
  readonly directory: string;
  readonly n: number;
}

async function readRates({ request, target, directory, n }: ReadRequest): Promise<Fact[]> {
  const { engine } = request;
  const facts: Fact[] = [];
  const values = new Values(request.valueBytes);
  const operations = Math.floor(request.n / 10);
  const reads = workloads.filter(
    ({ plan, durability }) => plan === "stored" && durability === "read",
  );
  for (const workload of reads) {
    for (const callers of workload.callers) {
      const shape = { target, workload, callers, n, operations, values, secondsMax, directory };
      const measured = await runRow({ ...shape, seed: callers, unchecked: false });
      const name = rowLabel({ workload: workload.name, callers, n, valueBytes: values.bytes });
      if (measured !== undefined) facts.push({ engine, name, value: measured.rate, unit: "/s" });
    }
  }
  return facts;
}

async function withTarget<T>(
  { engine, directory }: SceneRequest,
  name: string,
  use: (target: Target, directory: string) => Promise<T>,
): Promise<T> {
  const place = join(directory, name);
  mkdirSync(place);
  const target = await targetNamed(engine).open({ directory: place, durable: false });
  try {
    return await use(target, place);
  } finally {
    await target.close();
  }
}
