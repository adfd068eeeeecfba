/**
 * The operators' command for checkpoints: every live node, or the one that is named, copies its
 * directory as it is at that moment, while it serves. Each node makes its own; they are of nearly
 * the same time, and what differs between them is what differs between replicas at any time.
 */
import type { Out, StoreOutcome } from "../event.ts";
import { failed } from "../failure.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { Result } from "../message.ts";
import type { RingView } from "../views.ts";

export interface CheckpointQuestion {
  readonly ask: "checkpoint";
  readonly name: string;
  /** 0: every node. */
  readonly node: NodeId;
}

/** What one node says of its own. */
export type CheckpointReport =
  | { readonly kind: "made"; readonly path: string; readonly bytes: number; readonly keys: number }
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  | { readonly kind: "not-asked" };

export interface CheckpointParts {
  ring(): RingView;
  /** Asks every live node. */
  ask(
    now: Millis,
    question: CheckpointQuestion,
    deadlineMs: Millis,
    answer: (result: Result) => void,
    done: (answers: ReadonlyMap<NodeId, CheckpointReport>) => void,
  ): void;
}

type Run = (
  now: Millis,
  command: { readonly deadlineMs: Millis },
  given: Readonly<Record<string, unknown>>,
  answer: (result: Result) => void,
) => void;

export function checkpointCommands(parts: CheckpointParts): Readonly<Record<string, Run>> {
  return {
    checkpoint: (now, { deadlineMs }, { name, node = 0 }, answer) => {
      const fault = typeof name === "string" ? faultOfCheckpointName(name) : "it has no name";
      if (typeof name !== "string" || fault !== undefined) {
        answer(failed("INVALID_ARGUMENT", `a checkpoint cannot be made: ${fault}`));
      } else if (typeof node !== "number" || (node !== 0 && !parts.ring().isMember(node))) {
        answer(failed("NODE_UNKNOWN", `node ${String(node)} is no member of the cluster`));
      } else {
        const question = { ask: "checkpoint", name, node } as const;
        parts.ask(now, question, deadlineMs, answer, (answers) => {
          answer(gathered(question, parts.ring(), answers));
        });
      }
    },
  };
}

/** A name and never a path: nobody is to write outside of the directory that a node has for it. */
export function faultOfCheckpointName(name: string): string | undefined {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return undefined;
  return "its name is 1 to 64 letters, digits, '-', '_' or '.', and begins with a letter or digit";
}

export function answerCheckpoint(
  { self, out }: { readonly self: NodeId; readonly out: Out },
  { name, node }: CheckpointQuestion,
  answer: (report: CheckpointReport) => void,
): void {
  if (node !== 0 && node !== self) answer({ kind: "not-asked" });
  else out.store({ kind: "checkpoint", name }, (outcome) => answer(reportOf(outcome)));
}

function reportOf(outcome: StoreOutcome): CheckpointReport {
  if (outcome.kind === "checkpointed") {
    const { path, bytes, keys } = outcome;
    return { kind: "made", path, bytes, keys };
  }
  const isFailed = outcome.kind === "failed";
  const { code, message } = isFailed ? outcome : { code: "INTERNAL", message: outcome.kind };
  return { kind: "refused", code, message };
}

function gathered(
  { name, node }: CheckpointQuestion,
  { state }: RingView,
  answers: ReadonlyMap<NodeId, CheckpointReport>,
): Result {
  const nodes: object[] = [];
  const missing: object[] = [];
  for (const { id, state: role } of state.members) {
    if (role === "left" || (node !== 0 && node !== id)) continue;
    const report = answers.get(id);
    if (report?.kind === "made") {
      const { path, bytes, keys } = report;
      nodes.push({ node: id, path, bytes, keys });
    } else if (report?.kind === "refused") {
      missing.push({ node: id, code: report.code, message: report.message });
    } else missing.push({ node: id, code: "NOT_READY", message: "it did not answer in time" });
  }
  return { kind: "answer", json: JSON.stringify({ name, nodes, missing }) };
}
