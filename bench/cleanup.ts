/**
 * What must not outlive a run, however it ends: child processes, and directories of gigabytes. A
 * run that is interrupted leaves through `process.exit`, which can still kill and remove.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const undos = new Set<() => void>();
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Does `undo` when the process exits; the function it returns takes that back. */
export function onExit(undo: () => void): () => void {
  undos.add(undo);
  return () => void undos.delete(undo);
}

/** A new directory for as long as `use` takes. */
export async function withScratch<T>(
  parent: string,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(parent, "everwrite-bench-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  const forget = onExit(remove);
  try {
    return await use(directory);
  } finally {
    remove();
    forget();
  }
}

/** Cleans up at exit, and lets a signal be one, until the returned function is called. */
export function cleanUpAtExit(): () => void {
  const cleanUp = (): void => {
    // Children first: they are begun in directories that exist.
    for (const undo of [...undos].reverse()) undo();
  };
  const leave = (signal: NodeJS.Signals): void => {
    process.exit(exitCodes[signal as keyof typeof exitCodes]);
  };
  const signals = Object.keys(exitCodes) as NodeJS.Signals[];
  process.on("exit", cleanUp);
  for (const signal of signals) process.on(signal, leave);
  return () => {
    process.off("exit", cleanUp);
    for (const signal of signals) process.off(signal, leave);
  };
}
