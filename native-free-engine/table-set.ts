/**
 * The open side of a version: which table files make up the tree, arranged for lookups. A set is
 * immutable; a change makes a new one. Sets are counted by who reads from them, and a table file
 * is removed when no set needs it any more and its removal is in the manifest.
 */
import { openTablesMax } from "./base/limits.ts";
import type { Disk } from "./disk/disk.ts";
import type { ReadPace } from "./disk/read-pace.ts";
import { pathIn, tableName } from "./files.ts";
import type { BlockCache } from "./table/block-cache.ts";
import { KeyIndex } from "./table/key-index.ts";
import type { BuiltTable, TableMeta } from "./table/meta.ts";
import { Table } from "./table/table.ts";
import type { Version } from "./version.ts";

export interface TableSetContext {
  readonly disk: Disk;
  readonly directory: string;
  readonly hashSeed: number;
  readonly cache: BlockCache;
  readonly pace: ReadPace;
}

/** One table file, opened when first read; the least recently read are closed beyond a limit. */
export class TableHandle {
  readonly meta: TableMeta;
  readonly #files: OpenTables;
  #table: Table | undefined;
  #opening: Promise<Table> | undefined;
  /** Sets that contain this table. */
  uses = 0;
  lastUse = 0;

  constructor(files: OpenTables, meta: TableMeta, built: BuiltTable | undefined) {
    this.#files = files;
    this.meta = meta;
    if (built !== undefined) {
      this.#table = files.adopt(built);
      files.opened(this);
    }
  }

  get isOpen(): boolean {
    return this.#table !== undefined;
  }

  /** The table, opened without holding up the event loop where it is not open. */
  async tableSlowly(): Promise<Table> {
    this.lastUse = ++this.#files.uses;
    if (this.#table !== undefined) return this.#table;
    this.#opening ??= this.#open();
    return this.#opening;
  }

  get openTable(): Table | undefined {
    return this.#table;
  }

  table(): Table {
    this.lastUse = ++this.#files.uses;
    if (this.#table === undefined) {
      this.#table = this.#files.open(this.meta);
      this.#files.opened(this);
    }
    return this.#table;
  }

  /** One opens for all who wait; who came meanwhile and could not wait has opened it already. */
  async #open(): Promise<Table> {
    try {
      const table = await this.#files.openSlowly(this.meta);
      if (this.#table === undefined) {
        this.#table = table;
        this.#files.opened(this);
      } else table.release();
      return this.#table;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Closes the file once running reads have let go of it. */
  closeTable(): void {
    this.#table?.release();
    this.#table = undefined;
  }

  /** No set needs it: the name goes, then the file. */
  discard(): void {
    this.#files.discard(this);
  }
}

/** The tables of one database that are open, and how to open and remove them. */
export class OpenTables {
  readonly #context: TableSetContext;
  readonly #open = new Set<TableHandle>();
  readonly #removals = new Set<Promise<void>>();
  /** Off while the database closes: files then stay. */
  removesObsolete = true;
  uses = 0;

  constructor(context: TableSetContext) {
    this.#context = context;
  }

  open(meta: TableMeta): Table {
    return Table.open(this.#tableOptions(meta));
  }

  openSlowly(meta: TableMeta): Promise<Table> {
    return Table.openSlowly(this.#tableOptions(meta));
  }

  adopt(built: BuiltTable): Table {
    return Table.adopt({ ...this.#tableOptions(built), built });
  }

  opened(handle: TableHandle): void {
    this.#open.add(handle);
    if (this.#open.size <= openTablesMax) return;
    const oldest = [...this.#open].sort((a, b) => a.lastUse - b.lastUse);
    for (const other of oldest.slice(0, openTablesMax / 8)) {
      if (other !== handle) this.#close(other);
    }
  }

  discard(handle: TableHandle): void {
    this.#close(handle);
    if (this.removesObsolete) this.removeSoon(tableName(handle.meta.number));
  }

  /** Removes a file of the database that nothing refers to any more. */
  removeSoon(file: string): void {
    const { disk, directory } = this.#context;
    const removal = disk
      .remove(pathIn(directory, file))
      // The next open removes what could not be removed now.
      .catch(() => {})
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Resolves when the files that were being removed are gone. */
  async idle(): Promise<void> {
    await Promise.all(this.#removals);
  }

  closeAll(): void {
    for (const handle of this.#open) handle.closeTable();
    this.#open.clear();
  }

  #close(handle: TableHandle): void {
    handle.closeTable();
    this.#open.delete(handle);
  }

  #tableOptions(meta: TableMeta) {
    const { disk, directory, hashSeed, cache, pace } = this.#context;
    return { disk, path: `${directory}/${tableName(meta.number)}`, meta, hashSeed, cache, pace };
  }
}

/** Tables of one deeper level: disjoint, in key order. */
export interface SortedRun {
  readonly index: KeyIndex;
  readonly metas: readonly TableMeta[];
  readonly tables: readonly TableHandle[];
}

export class TableSet {
  readonly version: Version;
  /** Level 0, newest first. */
  readonly fresh: readonly TableHandle[];
  /** The levels below that hold anything, from the top. */
  readonly runs: readonly SortedRun[];
  readonly #all: ReadonlyMap<number, TableHandle>;
  #readers = 1;

  private constructor(version: Version, handles: ReadonlyMap<number, TableHandle>) {
    this.version = version;
    this.#all = handles;
    const of = (tables: readonly TableMeta[]) => tables.map((meta) => handles.get(meta.number)!);
    this.fresh = of(version.levels[0] ?? []);
    this.runs = version.levels
      .slice(1)
      .filter((tables) => tables.length > 0)
      .map((tables) => ({
        index: KeyIndex.of(tables.map((table) => table.smallest)),
        metas: tables,
        tables: of(tables),
      }));
    for (const handle of handles.values()) handle.uses += 1;
  }

  /** The set for a version; tables of the previous set stay open. */
  static of(
    files: OpenTables,
    version: Version,
    from?: { readonly previous?: TableSet; readonly built?: readonly BuiltTable[] },
  ): TableSet {
    const handles = new Map<number, TableHandle>();
    const built = new Map((from?.built ?? []).map((table) => [table.number, table]));
    for (const level of version.levels) {
      for (const meta of level) {
        const known = from?.previous?.handle(meta.number);
        handles.set(meta.number, known ?? new TableHandle(files, meta, built.get(meta.number)));
      }
    }
    return new TableSet(version, handles);
  }

  handle(number: number): TableHandle | undefined {
    return this.#all.get(number);
  }

  get handles(): Iterable<TableHandle> {
    return this.#all.values();
  }

  retain(): TableSet {
    this.#readers += 1;
    return this;
  }

  release(): void {
    this.#readers -= 1;
    if (this.#readers > 0) return;
    for (const handle of this.#all.values()) {
      handle.uses -= 1;
      if (handle.uses === 0) handle.discard();
    }
  }
}

/** The table of a run that may hold the key, if any. */
export function tableFor(
  run: SortedRun,
  key: Uint8Array,
  at: number,
  length: number,
): TableHandle | undefined {
  const position = run.index.floor(key, at, length);
  return position < 0 ? undefined : run.tables[position];
}
