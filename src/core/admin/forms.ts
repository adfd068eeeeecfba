/**
 * What nodes ask each other for their operators, and what they answer: JSON of another process,
 * perhaps of another version. It is looked at before anybody relies on it; what is not of its form
 * counts as not asked, or not answered.
 */
import type { CleanupReport } from "../cleanup/cleanup.ts";
import { keyBytesMax } from "../limits.ts";
import { faultOfBucketName } from "../ring/buckets.ts";
import {
  type CheckpointQuestion,
  type CheckpointReport,
  faultOfCheckpointName,
} from "./checkpoint.ts";
import type { Question, StateReport, TransfersReport, VersionsReport } from "./report.ts";

export type AnyQuestion =
  | Question
  | CheckpointQuestion
  | { readonly ask: "repair" }
  | { readonly ask: "cleanup" }
  | { readonly ask: "epoch"; readonly epoch: number };

/** Comparisons that a node made because it was asked to. */
export interface Repaired {
  readonly partitions: number;
  readonly sent: number;
  readonly received: number;
}

/** What each question is answered with. */
export interface Answers {
  readonly state: StateReport;
  readonly transfers: TransfersReport;
  readonly versions: VersionsReport | { readonly failure: string };
  readonly checkpoint: CheckpointReport;
  readonly repair: Repaired;
  readonly cleanup: CleanupReport;
  readonly epoch: { readonly epoch: number };
}

type Fields = Readonly<Record<string, unknown>>;

export const isAnswerTo: {
  readonly [Ask in keyof Answers]: (value: unknown) => value is Answers[Ask];
} = {
  state: isStateReport,
  transfers: isTransfersReport,
  versions: isVersionsReport,
  checkpoint: isCheckpointReport,
  repair: (value): value is Repaired => haveCounts(value, ["partitions", "sent", "received"]),
  cleanup: (value): value is CleanupReport =>
    haveCounts(value, ["reapable", "tombstones", "rounds", "running"]),
  epoch: (value): value is Answers["epoch"] => haveCounts(value, ["epoch"]),
};

/** Undefined for what is no question. */
export function questionIn(value: unknown): AnyQuestion | undefined {
  if (!isObject(value)) return undefined;
  const { ask, bucket, key, epoch, name, node } = value;
  switch (ask) {
    case "state":
    case "transfers":
    case "repair":
    case "cleanup":
      return { ask };
    case "versions":
      return isBucket(bucket) && isHexKey(key) ? { ask, bucket, key } : undefined;
    case "epoch":
      return isCount(epoch) ? { ask, epoch } : undefined;
    case "checkpoint": {
      const isNamed = typeof name === "string" && faultOfCheckpointName(name) === undefined;
      return isNamed && isCount(node) ? { ask, name, node } : undefined;
    }
    default:
      return undefined;
  }
}

export function isBucket(value: unknown): value is string {
  return value === "" || (typeof value === "string" && faultOfBucketName(value) === undefined);
}

export function isHexKey(value: unknown): value is string {
  const isHex = typeof value === "string" && /^([0-9a-f]{2})+$/.test(value);
  return isHex && value.length <= 2 * keyBytesMax;
}

function isStateReport(value: unknown): value is StateReport {
  if (!isObject(value)) return false;
  const { hints, roots, timeLeftMs } = value;
  return (
    haveCounts(value, ["epoch", "rebuilding", "catchingUp", "bytes"]) &&
    (timeLeftMs === null || isCount(timeLeftMs)) &&
    isListOf(hints, (hint) => haveCounts(hint, ["target", "keys"])) &&
    isObject(roots) &&
    Object.values(roots).every((root) => root === null || typeof root === "string")
  );
}

function isVersionsReport(value: unknown): value is Answers["versions"] {
  if (!isObject(value)) return false;
  if (typeof value["failure"] === "string") return true;
  return typeof value["standing"] === "string" && isObject(value["versions"]);
}

function isTransfersReport(value: unknown): value is TransfersReport {
  return (
    isObject(value) &&
    isListOf(value["transfers"], (one) => haveCounts(one, ["partition", "target", "keysDone"]))
  );
}

function isCheckpointReport(value: unknown): value is CheckpointReport {
  if (!isObject(value)) return false;
  const { kind, path, code, message } = value;
  if (kind === "made") return typeof path === "string" && haveCounts(value, ["bytes", "keys"]);
  if (kind === "refused") return typeof code === "string" && typeof message === "string";
  return kind === "not-asked";
}

function haveCounts(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => isCount(value[name]));
}

function isListOf(value: unknown, isOne: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne);
}

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
}
