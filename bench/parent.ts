/** A child process's side of fork-child.ts: takes its task, sends what it finds, and ends. */

/** Does the work that the argument of this process asks for. */
export function serve<T>(work: (task: T) => Promise<void>): void {
  // A parent that was killed has no use for the rest.
  process.once("disconnect", () => process.exit());
  work(JSON.parse(process.argv[2] ?? "null") as T).then(
    () => process.disconnect(),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
}

export function send<T extends object>(message: T): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) throw new Error("this file is run by the benchmark");
    process.send(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
