/**
 * The door of offline inspection: what stands in one file of a database, as plain objects, without
 * opening the database. Damage does not stop it: what is readable is shown, and where it is not.
 */
import { basename } from "node:path";
import { loadHash } from "./base/hash.ts";
import { parseCurrent } from "./current.ts";
import { type Disk, readWhole } from "./disk/disk.ts";
import { nodeDisk } from "./disk/node-disk.ts";
import { manifestName, parseName } from "./files.ts";
import type { DescribedDamage } from "./inspect-entry.ts";
import { type DescribedRecords, describeRecords } from "./inspect-records.ts";
import { type DescribedTable, describeTableFile } from "./inspect-table.ts";

export interface DescribedCurrent {
  readonly kind: "current";
  readonly file: string;
  readonly bytes: number;
  readonly manifest?: string;
  readonly damage: readonly DescribedDamage[];
}

/** A file that is none of the formats, by its name. */
export interface DescribedOther {
  readonly kind: "lock" | "temporary" | "other";
  readonly file: string;
  readonly bytes: number;
}

export type FileDescription = DescribedRecords | DescribedTable | DescribedCurrent | DescribedOther;

export interface DescribeOptions {
  /** At most so many entries (and blocks, or records) are listed; counts are of all. */
  readonly limit?: number;
}

const defaultLimit = 1000;

/** Goes by the name of the file; rejects with a system error where it cannot be read. */
export function describeFile(path: string, options?: DescribeOptions): Promise<FileDescription> {
  return describeFileOn(nodeDisk(), path, options);
}

export async function describeFileOn(
  disk: Disk,
  path: string,
  { limit = defaultLimit }: DescribeOptions = {},
): Promise<FileDescription> {
  await loadHash();
  const name = basename(path);
  const { kind, number } = parseName(name);
  const bytes = readWhole(disk, path);
  switch (kind) {
    case "log":
    case "manifest":
      return describeRecords(bytes, { kind, name, number }, limit);
    case "table":
      return describeTableFile(bytes, { name, number }, limit);
    case "current":
      return describeCurrent(bytes, name);
    default:
      return { kind, file: name, bytes: bytes.length };
  }
}

function describeCurrent(bytes: Uint8Array, file: string): DescribedCurrent {
  const found = parseCurrent(Buffer.from(bytes.slice(0, 64)).toString("latin1"));
  const base = { kind: "current", file, bytes: bytes.length } as const;
  if (found.kind === "ok") return { ...base, manifest: manifestName(found.number), damage: [] };
  const what = found.kind === "damaged" ? found.what : "it is empty";
  return { ...base, damage: [{ offset: 0, what }] };
}
