/** Programs of the system that are run to their end. */
import { execFileSync } from "node:child_process";

export function command(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Why it does not work, in one line; undefined when it does. */
export function whyNot(attempt: () => void): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    const { stderr, message } = error as { readonly stderr?: unknown; readonly message: string };
    const said = String(stderr ?? "").trim();
    return (said === "" ? message : said).split("\n").at(-1) ?? message;
  }
}
