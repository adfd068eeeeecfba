/**
 * Tables that exist only on paper, for tests of what is decided from their descriptions.
 */
import type { TableMeta } from "../../native-free-engine/table/meta.ts";
import { type AddedTable, applyEdit, emptyVersion } from "../../native-free-engine/version.ts";

export function key(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function paperTable(
  number: number,
  smallest: string,
  largest: string,
  fields: Partial<TableMeta> = {},
): TableMeta {
  return {
    number,
    bytes: 1000,
    smallest: key(smallest),
    largest: key(largest),
    entries: 10,
    tombstones: 0,
    minSequence: 8 * number,
    maxSequence: 8 * number + 7,
    firstExpiry: 0,
    ...fields,
  };
}

/** A version with these tables, by level. */
export function versionOf(...levels: readonly (readonly TableMeta[])[]) {
  const added: AddedTable[] = levels.flatMap((tables, level) =>
    tables.map((table) => ({ level, table })),
  );
  return applyEdit(emptyVersion, { added, removed: [] });
}

export function numbersOf(tables: readonly TableMeta[]): number[] {
  return tables.map((table) => table.number);
}
