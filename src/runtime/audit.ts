/**
 * Who did what to the cluster, in the log: every operator's command that may change something, with
 * its outcome, and whatever was refused for want of a right. Keys, values and secrets are not in it.
 */
import type { Command, Result } from "../core/message.ts";
import type { Principal } from "./access.ts";
import { type Log, seldom } from "./log.ts";

type AdminCommand = Command & { readonly kind: "admin" };

export interface Actor {
  readonly principal: Principal;
  readonly remote: string;
}

/** They only look. */
const looking: ReadonlySet<string> = new Set([
  ...["status", "ring", "locate", "versions", "hints", "transfers", "plan", "bucket-list"],
]);
const argumentsMax = 512;

export class Audit {
  readonly #log: Log;
  readonly #sayRefused: (said: object) => void;

  constructor(log: Log) {
    this.#log = log;
    this.#sayRefused = seldom(
      (said, suppressed) => log.audit("command.refused", { ...said, suppressed }),
      1_000,
    );
  }

  /** To be told how the command ended; undefined when it changes nothing. */
  begin(actor: Actor, command: AdminCommand): ((result: Result) => void) | undefined {
    if (looking.has(command.name)) return undefined;
    const { name: act, arguments: given } = command;
    return (result) => {
      const outcome = result.kind === "failed" ? result.code : "done";
      const details = given.slice(0, argumentsMax);
      this.#log.audit("command.done", { ...whoIs(actor), act, details, outcome });
    };
  }

  refused(actor: Actor, command: Command, why: string): void {
    const act = command.kind === "admin" ? command.name : command.kind;
    this.#sayRefused({ ...whoIs(actor), act, outcome: "FORBIDDEN", why });
  }
}

function whoIs({ principal, remote }: Actor) {
  return { who: principal.name, role: principal.role, remote };
}
