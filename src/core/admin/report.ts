/**
 * What one node says of itself when an operator's command asks (survey): small, plain JSON, put
 * together from its own data at that moment and never from gossip, so that "all agree" is true.
 */
import type { Out, StoreOutcome } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { Key } from "../key.ts";
import { keyOf } from "../key.ts";
import type { Hash, Standing } from "../message.ts";
import type { TransferReport } from "../transfer/transfers.ts";
import type { RingView, StandingView } from "../views.ts";
import { type DescribedVersions, describeVersions } from "./describe.ts";

/** What can be asked of a node. */
export type Question =
  | { readonly ask: "state" }
  | { readonly ask: "transfers" }
  | { readonly ask: "versions"; readonly bucket: string; readonly key: string };

export interface StateReport {
  readonly epoch: number;
  readonly hints: readonly { readonly target: NodeId; readonly keys: number }[];
  /** Partitions whose data it lost or has not received yet. */
  readonly rebuilding: number;
  readonly catchingUp: number;
  /** About how many bytes its copies take on its disk. */
  readonly bytes: number;
  /** Until all that is on the way to it has come; null when that cannot be told yet. */
  readonly timeLeftMs: Millis | null;
  /** For each partition that it holds the root of its tree; `null` while that is being made. */
  readonly roots: Readonly<Record<string, string | null>>;
}

export interface VersionsReport {
  readonly standing: Standing;
  readonly versions: DescribedVersions;
}

export interface TransfersReport {
  readonly transfers: readonly TransferReport[];
}

export interface ReportParts {
  readonly out: Out;
  ring(): RingView;
  readonly standing: StandingView;
  transfers(): readonly TransferReport[];
}

/** Answers once all that the question needs was read. */
export function answerQuestion(
  parts: ReportParts,
  question: Question,
  answer: (
    report: StateReport | VersionsReport | TransfersReport | { readonly failure: string },
  ) => void,
): void {
  if (question.ask === "state") reportState(parts, answer);
  else if (question.ask === "transfers") answer({ transfers: parts.transfers() });
  else reportVersions(parts, keyFromHex(question.bucket, question.key), answer);
}

function reportState(parts: ReportParts, answer: (report: StateReport) => void): void {
  const ring = parts.ring();
  const held = ring.held();
  const standings = held.map((partition) => parts.standing.of(partition));
  const roots: Record<string, string | null> = {};
  let hints: StateReport["hints"] = [];
  let bytes = 0;
  let waiting = held.length + 2;
  const done = (): void => {
    waiting -= 1;
    if (waiting > 0) return;
    answer({
      epoch: ring.state.epoch,
      hints,
      rebuilding: standings.filter((standing) => standing === "rebuilding").length,
      catchingUp: standings.filter((standing) => standing === "catching-up").length,
      bytes,
      timeLeftMs: timeLeftOf(parts.transfers()),
      roots,
    });
  };
  parts.out.store({ kind: "count-hints" }, (outcome) => {
    if (outcome.kind === "counts") hints = outcome.hints;
    done();
  });
  parts.out.store({ kind: "measure" }, (outcome) => {
    if (outcome.kind === "measured") bytes = outcome.bytes;
    done();
  });
  for (const partition of held) {
    parts.out.store(rootOf(partition), (outcome) => {
      roots[partition] = rootText(outcome);
      done();
    });
  }
}

/** As long for each partition that waits as for those that stream, so many at a time. */
export function timeLeftOf(transfers: readonly TransferReport[]): Millis | null {
  if (transfers.length === 0) return 0;
  const running = transfers.filter(({ phase }) => phase === "streaming");
  const told = running.flatMap(({ etaMs, keysDone, keysTotal }) =>
    etaMs === undefined || keysTotal === undefined || keysTotal <= keysDone
      ? []
      : [{ etaMs, wholeMs: (etaMs * keysTotal) / (keysTotal - keysDone) }],
  );
  if (told.length === 0) return null;
  const waiting = transfers.filter(({ phase }) => phase === "waiting").length;
  const wholeMs = told.reduce((sum, one) => sum + one.wholeMs, 0) / told.length;
  const lastMs = Math.max(...told.map(({ etaMs }) => etaMs));
  return Math.round(lastMs + (wholeMs * waiting) / running.length);
}

function reportVersions(
  parts: ReportParts,
  key: Key,
  answer: (report: VersionsReport | { readonly failure: string }) => void,
): void {
  const ring = parts.ring();
  const partition = ring.partitionOf(key);
  const isHolder = ring.holders(partition).includes(ring.self);
  const targets = isHolder ? [] : ring.owners(partition);
  parts.out.store({ kind: "read", key, targets }, (outcome) => {
    if (outcome.kind === "versions") {
      const standing = parts.standing.of(partition);
      answer({ standing, versions: describeVersions(outcome.versions) });
    } else if (outcome.kind === "failed") answer({ failure: outcome.message });
  });
}

function rootOf(partition: Partition) {
  return { kind: "tree", partition, level: "root", parents: [] } as const;
}

function rootText(outcome: StoreOutcome): string | null {
  const root = outcome.kind === "tree" && outcome.ready ? outcome.hashes[0] : undefined;
  return root === undefined ? null : hashText(root);
}

export function hashText({ high, low }: Hash): string {
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}

/** Keys cross in hex: JSON has no bytes. */
export function keyFromHex(bucket: string, hex: string): Key {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  }
  return keyOf(bucket, bytes);
}
