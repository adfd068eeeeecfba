/**
 * What a row costs besides time: processor seconds of all threads, the peak of resident memory,
 * bytes written and bytes on disk. Memory and written bytes come from Linux's /proc and are absent
 * elsewhere. Written bytes are `write_bytes` of /proc/self/io: pages that the process made dirty,
 * whether through write or through a map. A page that is changed again while it is still dirty
 * counts once, which flatters engines that write in place and never sync.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Usage {
  readonly at: number;
  readonly cpuMs: number;
  readonly writtenBytes: number | undefined;
}

const pollMs = 5;
/** So long without work counts as idle. */
const quietMs = 100;
/** Below this share of one processor, threads only wait. */
const idleShare = 0.1;

export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const found = /^write_bytes: (\d+)$/m.exec(readProc("/proc/self/io"));
  return {
    at: performance.now(),
    cpuMs: (user + system) / 1000,
    writtenBytes: found === null ? undefined : Number(found[1]),
  };
}

/** Lets the peak of resident memory begin anew, where the kernel can. */
export function resetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // The peak then is that of the whole process so far.
  }
}

export function peakBytes(): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readProc("/proc/self/status"));
  return (found === null ? process.resourceUsage().maxRSS : Number(found[1])) * 1024;
}

/** Bytes that the files of a directory take on disk: allocated blocks, where those are known. */
export function diskBytes(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    try {
      const file = statSync(join(directory, name));
      if (file.isFile()) bytes += file.blocks === undefined ? file.size : file.blocks * 512;
    } catch {
      // Gone since it was listed: a compaction removed it.
    }
  }
  return bytes;
}

/**
 * Resolves when the process has written nothing for 100 ms and no thread but this one has worked.
 * For engines that cannot be asked whether they compact; `takeLastActive` says when the quiet
 * began. This thread does not count: its own looking would pass for work.
 */
export async function untilIdle(): Promise<void> {
  let last = activity();
  lastActive = last.at;
  while (performance.now() - lastActive < quietMs) {
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    const now = activity();
    const share = (now.othersMs - last.othersMs) / (now.at - last.at);
    if (share > idleShare || now.writtenBytes !== last.writtenBytes) lastActive = now.at;
    last = now;
  }
}

interface Activity {
  readonly at: number;
  readonly writtenBytes: number | undefined;
  /** Processor time of all threads but the first, which runs JavaScript. */
  readonly othersMs: number;
}

function activity(): Activity {
  const { at, writtenBytes } = usage();
  let othersMs = 0;
  for (const thread of listProc("/proc/self/task")) {
    if (thread === String(process.pid)) continue;
    const [nanoseconds = "0"] = readProc(`/proc/self/task/${thread}/schedstat`).split(" ", 1);
    othersMs += Number(nanoseconds) / 1e6;
  }
  return { at, writtenBytes, othersMs };
}

let lastActive: number | undefined;

/** When the last `untilIdle` found work for the last time; asking clears it. */
export function takeLastActive(): number | undefined {
  const at = lastActive;
  lastActive = undefined;
  return at;
}

function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function listProc(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
