/**
 * Which faults this machine lets us make. Each ability is tried for real, once; what is missing is
 * said with its reason, so that nobody takes a run without it for a run with it.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { command, whyNot } from "./commands.ts";
import { openHub } from "./namespaces.ts";
import { Undoing } from "./undoing.ts";
import { mountImage, mountMemory } from "./volumes.ts";
import { canTellDiallers } from "./who-dials.ts";

export type Ability = "signals" | "links" | "descriptors" | "memory-disk" | "image" | "namespaces";

export interface Finding {
  readonly ability: Ability;
  readonly means: string;
  /** Undefined: it works here. */
  readonly why: string | undefined;
}

const means: Readonly<Record<Ability, string>> = {
  signals: "kill -9, SIGTERM, SIGSTOP",
  links: "proxies that know who dials: cuts, delays, dead connections, flipped bits",
  descriptors: "processes that run out of file descriptors (prlimit)",
  "memory-disk": "a small tmpfs that fills up",
  image: "a loop-mounted ext4 that loses its power",
  namespaces: "network namespaces: packets that vanish without a word",
};

/** Works in `scratch`, an empty directory, and leaves nothing behind. */
export function examine(scratch: string): readonly Finding[] {
  const isLinux = process.platform === "linux";
  const isRoot = process.getuid?.() === 0;
  const attempts: Readonly<Record<Ability, () => void>> = {
    signals: () => refuse(process.platform === "win32", "this system has no such signals"),
    links: () => refuse(!canTellDiallers(), "the system does not tell who holds a port"),
    descriptors: () => {
      command("prlimit", "--version");
    },
    "memory-disk": () => {
      refuse(!isLinux || !isRoot, "mounting needs root, on Linux");
      tried(scratch, "tmpfs", (path, undoing) => mountMemory(path, 4 << 20, undoing));
    },
    image: () => {
      refuse(!isLinux || !isRoot, "mounting needs root, on Linux");
      tried(scratch, "image", (path, undoing) => mountImage(path, 16 << 20, undoing).cutPower());
    },
    namespaces: () => {
      refuse(!isLinux || !isRoot, "namespaces need root, on Linux");
      tried(scratch, "net", (_path, undoing) => {
        const hub = openHub(`ew-doctor-${process.pid}`, undoing);
        hub.addNode(1);
        command("nsenter", "--version");
      });
    },
  };
  return (Object.keys(attempts) as Ability[]).map((ability) => ({
    ability,
    means: means[ability],
    why: whyNot(attempts[ability]),
  }));
}

/** A table for people. */
export function describeFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ ability, means: what, why }) => {
      const verdict = why === undefined ? "yes" : `SKIPPED: ${why}`;
      return `  ${ability.padEnd(12)} ${what}: ${verdict}\n`;
    })
    .join("");
}

function refuse(isMissing: boolean, why: string): void {
  if (isMissing) throw new Error(why);
}

function tried(
  scratch: string,
  name: string,
  attempt: (path: string, undoing: Undoing) => unknown,
): void {
  const undoing = new Undoing();
  try {
    const path = join(scratch, `doctor-${name}`);
    mkdirSync(path, { recursive: true });
    attempt(path, undoing);
  } finally {
    undoing.all();
  }
}
