/** Runs a script of this directory in a process of its own, which ends when this one does. */
import { fork, type StdioOptions } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onExit } from "./cleanup.ts";

export interface ChildRequest<T> {
  /** A module beside this one, without its ending. */
  readonly script: string;
  readonly argument: string;
  readonly msMax: number;
  /** Options of Node itself. */
  readonly execArgv?: readonly string[];
  readonly onMessage: (message: T) => void;
}

/** How a child ended: "code 0" is well. */
export type Ending = `code ${number}` | NodeJS.Signals;

/** Resolves when the child has ended, and all its messages have been heard. */
export function runChild<T>(request: ChildRequest<T>): Promise<Ending> {
  const { script, argument, msMax, execArgv = [], onMessage } = request;
  const path = fileURLToPath(new URL(`./${script}.js`, import.meta.url));
  // Stdout is for results, and a child sends its own.
  const stdio: StdioOptions = ["ignore", 2, 2, "ipc"];
  const child = fork(path, [argument], { stdio, execArgv: [...process.execArgv, ...execArgv] });
  const kill = (): void => void child.kill("SIGKILL");
  const forget = onExit(kill);
  const limit = setTimeout(kill, msMax);
  child.on("message", (message) => onMessage(message as T));
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      clearTimeout(limit);
      forget();
      resolve(signal ?? `code ${code ?? 1}`);
    });
  });
}

export interface Question {
  readonly script: string;
  readonly argument: string;
  readonly minutesMax: number;
  /** For a child that is meant to end by a signal. */
  readonly mayDie?: boolean;
}

/** What a child sent that sends one thing. */
export async function askChild<T>(question: Question): Promise<T> {
  const { script, argument, minutesMax, mayDie = false } = question;
  const sent: T[] = [];
  const onMessage = (message: T): void => void sent.push(message);
  const ending = await runChild({ script, argument, msMax: minutesMax * 60_000, onMessage });
  const answer = sent.at(-1);
  const ended = ending === "code 0" || (mayDie && ending === "SIGKILL");
  if (ended && answer !== undefined) return answer;
  throw new Error(`${script} ${argument} ended with ${ending}`);
}
