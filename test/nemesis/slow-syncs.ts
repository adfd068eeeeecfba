/**
 * A disk that takes its time, in front of whatever disk there is: a node is started with a module
 * that holds each sync of its files back for so many milliseconds as a file says. What the system
 * has been given is safe from kill -9 however slow the disk is; what still waits behind a sync is
 * not, and nor is it from a cut of the power.
 */
import { rmSync, writeFileSync } from "node:fs";

function moduleFor(file: string): string {
  return `
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const { fdatasync, fdatasyncSync } = fs;
function heldBackMs() {
  try {
    return Number(fs.readFileSync(${JSON.stringify(file)}, "utf8"));
  } catch {
    return 0;
  }
}
fs.fdatasync = (descriptor, done) => {
  const ms = heldBackMs();
  if (ms > 0) setTimeout(fdatasync, ms, descriptor, done);
  else fdatasync(descriptor, done);
};
fs.fdatasyncSync = (descriptor) => {
  const ms = heldBackMs();
  // So the engine learns that its disk is slow, and waits beside the loop from then on.
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.min(ms, 20));
  fdatasyncSync(descriptor);
};
syncBuiltinESMExports();
`;
}

export class SlowSyncs {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** For the node's own Node. */
  get flags(): readonly string[] {
    return ["--import", `data:text/javascript,${encodeURIComponent(moduleFor(this.#file))}`];
  }

  holdBack(ms: number): void {
    writeFileSync(this.#file, String(ms));
  }

  letGo(): void {
    rmSync(this.#file, { force: true });
  }
}
