/**
 * What abstract-level passes down to a database's private methods: encodings are normalized to our
 * three formats and keys are encoded; options of ours pass through untouched.
 */
import type { AbstractSnapshot } from "abstract-level";
import type { BytesInput, Range, ReadOptions } from "../api.ts";
import { bytesOf, type FormatName, type Shown } from "./formats.ts";
import { snapshotIn } from "./resources.ts";

export interface ReadRequest {
  readonly snapshot?: AbstractSnapshot | undefined;
  readonly valueEncoding: FormatName;
}

export interface RangeRequest {
  readonly gt?: Shown;
  readonly gte?: Shown;
  readonly lt?: Shown;
  readonly lte?: Shown;
  readonly reverse: boolean;
  /** -1 for all. */
  readonly limit: number;
  readonly snapshot?: AbstractSnapshot | undefined;
}

/** A copy that abstract-level made for us, so key and value may be replaced in place. */
export type Operation =
  | { readonly type: "put"; key: Shown; value: Shown; readonly ttlMs?: number | undefined }
  | { readonly type: "del"; key: Shown };

const current: ReadOptions = {};

export function readOf(request: { snapshot?: AbstractSnapshot | undefined }): ReadOptions {
  const snapshot = snapshotIn(request);
  return snapshot === undefined ? current : { snapshot };
}

export function rangeOf({ gt, gte, lt, lte }: RangeRequest): Range {
  return { gt: bound(gt), gte: bound(gte), lt: bound(lt), lte: bound(lte) };
}

export function refuseNoLocation(location: unknown): void {
  if (typeof location !== "string" || location === "") {
    throw new TypeError("location must be the path of a directory: a string that is not empty");
  }
}

export function refuseNoBounds(start: unknown, end: unknown): void {
  if (start === undefined || end === undefined) {
    throw new TypeError("start and end of the range must both be given");
  }
}

function bound(given: Shown | undefined): BytesInput | undefined {
  return given === undefined ? undefined : bytesOf(given);
}
