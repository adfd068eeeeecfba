/** The engines that can be compared, in the order of the tables. */
import type { TargetInfo } from "../target.ts";
import { classicLevel } from "./classic-level.ts";
import { everwrite } from "./everwrite.ts";
import { idle } from "./idle.ts";
import { lmdb } from "./lmdb.ts";
import { rocksdb } from "./rocksdb.ts";
import { sqlite } from "./sqlite.ts";

export const allTargets: readonly TargetInfo[] = [
  everwrite,
  classicLevel,
  lmdb,
  rocksdb,
  sqlite,
  idle,
];

export function targetNamed(name: string): TargetInfo {
  const found = allTargets.find((target) => target.name === name);
  if (found === undefined) throw new Error(`there is no engine named ${name}`);
  return found;
}
