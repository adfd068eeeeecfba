/**
 * What other processes have used so far, from Linux's /proc: processor time in ticks of 10 ms, the
 * peak of resident memory, bytes that went to the disk; and what went over the loopback, which is
 * everybody's, so that a machine that does nothing else is needed for that number.
 */
import { readFileSync } from "node:fs";

export interface ProcessUsage {
  readonly cpuMs: number;
  readonly peakBytes: number;
  /** Pages that the process made dirty, in bytes. */
  readonly writtenBytes: number;
}

const msPerTick = 10;

export function usageOf(pid: number): ProcessUsage {
  // The name of the process stands in brackets and may hold anything, blanks too.
  const fields = read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ") ?? [];
  const [userTicks, systemTicks] = [fields[11], fields[12]].map(Number);
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`));
  const written = /^write_bytes: (\d+)$/m.exec(read(`/proc/${pid}/io`));
  return {
    cpuMs: ((userTicks ?? 0) + (systemTicks ?? 0)) * msPerTick,
    peakBytes: Number(peak?.[1] ?? 0) * 1024,
    writtenBytes: Number(written?.[1] ?? 0),
  };
}

/** Bytes that went over the loopback, headers and acknowledgements of TCP included. */
export function loopbackBytes(): number {
  const found = /^\s*lo:\s*(\d+)/m.exec(read("/proc/net/dev"));
  return Number(found?.[1] ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
