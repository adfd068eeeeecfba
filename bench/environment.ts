/** Where a run took place, for the head of its table, and what may have disturbed it. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, freemem, loadavg, totalmem } from "node:os";

export interface Environment {
  readonly node: string;
  readonly everwrite: string;
  readonly platform: string;
  readonly processor: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly load: number;
  readonly at: string;
}

export function environmentNow(): Environment {
  const manifest = new URL("../../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return {
    node: process.version,
    everwrite: version,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    load: loadavg()[0] ?? 0,
    at: new Date().toISOString(),
  };
}

export function describeEnvironment(environment: Environment): string {
  const { node, everwrite, platform, processor, processors, memoryBytes } = environment;
  const machine = `${processors} × ${processor}, ${Math.round(memoryBytes / 2 ** 30)} GiB`;
  return `everwrite ${everwrite}, node ${node}, ${platform}, ${machine}`;
}

export function warnings(environment: Environment): string[] {
  const found: string[] = [];
  if (environment.load > 0.5) {
    found.push(`the machine is busy: load ${environment.load.toFixed(2)} at the start`);
  }
  if (freemem() < environment.memoryBytes / 4) found.push("less than a quarter of memory is free");
  return found;
}
