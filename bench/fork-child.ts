/** Runs a script of this directory in a process of its own and resolves to what it sent. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface ChildRequest {
  /** A module beside this one, without its ending. */
  readonly script: string;
  readonly argument: string;
  readonly minutesMax: number;
  /** For a child that is meant to end by a signal. */
  readonly mayDie?: boolean;
}

export function askChild<T>(request: ChildRequest): Promise<T> {
  const { script, argument, minutesMax, mayDie = false } = request;
  const path = fileURLToPath(new URL(`./${script}.js`, import.meta.url));
  // Stdout is for results, and a child sends its own.
  const child = fork(path, [argument], { stdio: ["ignore", 2, 2, "ipc"] });
  const limit = setTimeout(() => child.kill("SIGKILL"), minutesMax * 60_000);
  let sent: { readonly answer: T } | undefined;
  child.on("message", (message) => {
    sent = { answer: message as T };
  });
  return new Promise((resolve, reject) => {
    child.on("exit", (code, signal) => {
      clearTimeout(limit);
      const ended = code === 0 || (mayDie && signal === "SIGKILL");
      if (ended && sent !== undefined) resolve(sent.answer);
      else reject(new Error(`${script} ${argument} ended with ${signal ?? `code ${code}`}`));
    });
  });
}
