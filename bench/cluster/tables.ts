/** Rows of stores as text: rates side by side, then what a request waits, then what it costs. */
import { type EngineRow, type Measurement, type Row, rowLabel, spreadOf } from "../measurement.ts";
import { columns, count, milliseconds, rateCell } from "../table.ts";

export function storesTable(rows: readonly Row[]): string {
  const stores = rows[0]?.engines.map(({ engine }) => engine) ?? [];
  const rates = rows.map((row) => [rowLabel(row), ...row.engines.map(rateCell)]);
  return columns([["operations/s", ...stores], ...rates]);
}

export function waitsTable(rows: readonly Row[]): string {
  const head = ["latency", "store", "p50", "p99", "p99.9", "max"];
  const picks: readonly ((round: Measurement) => number)[] = [
    ({ latency }) => latency.p50Ms,
    ({ latency }) => latency.p99Ms,
    ({ latency }) => latency.p999Ms,
    ({ latency }) => latency.maxMs,
  ];
  return columns([
    head,
    ...linesOf(rows, (engine) => picks.map((pick) => middle(engine, pick, milliseconds))),
  ]);
}

export function costsTable(rows: readonly Row[]): string {
  const names = ["client µs", "servers µs", "wire bytes", "disk bytes", "messages"];
  return columns([
    ["for each operation", "store", ...names],
    ...linesOf(rows, (engine) =>
      names.map((name) => middle(engine, ({ details }) => Number(details?.[name]), count)),
    ),
  ]);
}

function linesOf(
  rows: readonly Row[],
  cellsOf: (engine: EngineRow) => readonly string[],
): (readonly string[])[] {
  return rows.flatMap((row) =>
    row.engines
      .filter(({ rounds }) => rounds.length > 0)
      .map((engine) => [rowLabel(row), engine.engine, ...cellsOf(engine)]),
  );
}

function middle(
  { rounds }: EngineRow,
  pick: (round: Measurement) => number,
  form: (value: number) => string,
): string {
  const values = rounds.map(pick).filter((value) => Number.isFinite(value));
  const found = spreadOf(values);
  return found === undefined ? "—" : form(found.median);
}
