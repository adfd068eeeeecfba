/** Changes of membership: each is shown before it is made, and a person is asked. */
import { createInterface } from "node:readline/promises";
import type { Plan } from "../../src/index.ts";
import { exits, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { plural } from "../units.ts";
import { askNode, withClient } from "./connection.ts";
import { planText } from "./plan-text.ts";

/** What a node answers once a change is in force. */
export interface Changed {
  readonly epoch: number;
  readonly generation: number;
  readonly moves: number;
  readonly staged: number;
}

export async function plan(invocation: Invocation): Promise<number> {
  const found = await withClient(invocation, (client) => {
    return askNode<Plan>(invocation, client, { name: "plan" });
  });
  const text = found.changes.length === 0 ? "nothing is staged\n" : planText(found);
  await invocation.output.result(found, text);
  return exits.ok;
}

export function commit(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  return change(invocation, {
    question: "commit this plan?",
    planned: {},
    name: "commit",
    args: options["plan"] === undefined ? {} : { plan: options["plan"] },
    done: (changed, copies) => movingText("committed", changed, copies),
  });
}

export function abort(invocation: Invocation): Promise<number> {
  return change(invocation, {
    question: "take back what is staged, and what has not moved yet?",
    planned: undefined,
    name: "abort",
    args: {},
    done: ({ epoch }) => `taken back, in epoch ${epoch}; partitions that moved stay moved\n`,
  });
}

export function leave(invocation: Invocation): Promise<number> {
  return changeOf(invocation, "leave", {});
}

export function remove(invocation: Invocation): Promise<number> {
  return changeOf(invocation, "remove", {});
}

export function weight(invocation: Invocation): Promise<number> {
  const [, text = ""] = invocation.args;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw usage(`a weight is a number, got ${JSON.stringify(text)}`);
  return changeOf(invocation, "weight", { weight: value });
}

function changeOf(invocation: Invocation, kind: string, more: object): Promise<number> {
  const { options, args } = invocation;
  const [node] = args;
  const stage = options["stage"] === true;
  return change(invocation, {
    question: stage ? "stage this?" : "do this?",
    planned: { changes: [{ kind, node, ...more }] },
    name: kind,
    args: { node, stage, ...more },
    done: (changed, copies) => (stage ? stagedText(changed) : movingText("done", changed, copies)),
  });
}

interface Wanted {
  readonly question: string;
  /** Arguments of the plan to show first; undefined: there is none to show. */
  readonly planned: object | undefined;
  readonly name: string;
  readonly args: object;
  /** `copies`: to be sent by the plan that was shown. */
  done(changed: Changed, copies: number): string;
}

async function change(invocation: Invocation, wanted: Wanted): Promise<number> {
  const { output } = invocation;
  const { planned, name, args } = wanted;
  return withClient(invocation, async (client) => {
    const shown =
      planned && (await askNode<Plan>(invocation, client, { name: "plan", args: planned }));
    if (shown !== undefined && !output.json) output.note(planText(shown).trimEnd());
    if (!(await isWanted(invocation, wanted.question))) {
      output.note("nothing was changed");
      return exits.ok;
    }
    const changed = await askNode<Changed>(invocation, client, { name, args });
    await output.result(changed, wanted.done(changed, shown?.copies ?? 0));
    return exits.ok;
  });
}

/** Only a person at a terminal is asked: a script has said what it wants. */
async function isWanted({ options, output }: Invocation, question: string): Promise<boolean> {
  const { stdin, stderr } = process;
  if (options["yes"] === true || output.json || stdin.isTTY !== true) return true;
  const terminal = createInterface({ input: stdin, output: stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** Where an owner is gone its place is taken at once, and no move is left: it fills as an owner. */
function movingText(done: string, { epoch }: Changed, copies: number): string {
  if (copies === 0) return `${done}, in epoch ${epoch}; nothing moves\n`;
  const count = plural(copies, "copy", "copies");
  return `${done}, in epoch ${epoch}; ${count} on the way: kvctl transfers shows how far\n`;
}

function stagedText({ staged }: Changed): string {
  const beside = staged < 2 ? "" : `, beside ${plural(staged - 1, "other change")}`;
  return `staged${beside}: kvctl plan shows what a commit would do\n`;
}
