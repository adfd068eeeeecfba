/** Results as text, for people: rates side by side, and below them what they cost. */
import {
  type EngineRow,
  type Measurement,
  type Row,
  rowLabel,
  type Spread,
  spreadOf,
} from "./measurement.ts";
import type { Report } from "./report.ts";

export const ours = "everwrite";
export const driver = "(driver)";

/** Also with other settings: `everwrite-sync`. */
export function isOurs(engine: string): boolean {
  return engine === ours || engine.startsWith(`${ours}-`);
}

/** What stands in brackets does nothing: it shows what the measuring itself costs. */
export function isDriver(engine: string): boolean {
  return engine.startsWith("(");
}

/** Columns as wide as their widest cell; the first one to the left, the others to the right. */
export function columns(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const cells of lines) {
    for (const [i, cell] of cells.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return lines
    .map((cells) =>
      cells
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

export function ratesTable({ rows }: Report): string {
  const engines = rows[0]?.engines.map(({ engine }) => engine) ?? [];
  const parts = groupsOf(rows).map(([title, members]) => {
    const head = ["operations/s", "survives", ...engines, "to best peer"];
    const lines = members.map((row) => [
      rowLabel(row),
      row.durability === "read" ? "" : row.durability === "os" ? "kill -9" : "power cut",
      ...row.engines.map(rateCell),
      ratioCell(row),
    ]);
    return `${title}\n${columns([head, ...lines])}`;
  });
  return parts.join("\n");
}

export function costsTable({ rows }: Report): string {
  const head = [
    ...["row", "engine", "p50", "p99", "p99.9", "max", "cpu s", "µs/op", "peak", "disk"],
    ...["written", "w-amp", "s-amp", "drain s"],
  ];
  const parts = groupsOf(rows).map(([title, members]) => {
    const lines = members.flatMap((row) =>
      row.engines.filter(({ rounds }) => rounds.length > 0).map((engine) => costLine(row, engine)),
    );
    return `${title}\n${columns([head, ...lines])}`;
  });
  return parts.join("\n");
}

export function rateOf({ rounds }: EngineRow): Spread | undefined {
  return spreadOf(rounds.map(({ rate }) => rate));
}

/** The quickest engine that is neither ours nor the driver alone. */
export function bestPeer(row: Row): { readonly engine: string; readonly rate: Spread } | undefined {
  let best: { readonly engine: string; readonly rate: Spread } | undefined;
  for (const engine of row.engines) {
    if (isOurs(engine.engine) || isDriver(engine.engine)) continue;
    const rate = rateOf(engine);
    if (rate === undefined || (best !== undefined && best.rate.median >= rate.median)) continue;
    best = { engine: engine.engine, rate };
  }
  return best;
}

export function count(number: number): string {
  if (number >= 9_995) return Math.round(number).toLocaleString("en-US");
  return Math.abs(number) >= 100 || number === 0
    ? String(Math.round(number))
    : number.toPrecision(3);
}

export function bytes(number: number): string {
  if (number >= 2 ** 30) return `${(number / 2 ** 30).toFixed(2)} GiB`;
  return `${(number / 2 ** 20).toFixed(number >= 10 * 2 ** 20 ? 0 : 1)} MiB`;
}

export function milliseconds(ms: number): string {
  if (ms >= 999.5) return `${(ms / 1000).toPrecision(3)} s`;
  return ms >= 1 ? `${ms.toPrecision(3)} ms` : `${(ms * 1000).toPrecision(3)} µs`;
}

/** Tables of one data set each. */
function groupsOf(rows: readonly Row[]): [title: string, members: Row[]][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const value = row.valueBytes >= 1024 ? `${row.valueBytes / 1024} KiB` : `${row.valueBytes} B`;
    const title = `${row.n.toLocaleString("en-US")} keys of 16 B, values of ${value}`;
    groups.set(title, [...(groups.get(title) ?? []), row]);
  }
  return [...groups];
}

export function rateCell(engine: EngineRow): string {
  const rate = rateOf(engine);
  // A round that failed taints the row, whatever the other rounds gave.
  if (engine.absent !== undefined) return rate === undefined ? "—" : "failed";
  if (rate === undefined) return "—";
  const cut = engine.rounds.some(({ cutShort }) => cutShort) ? "*" : "";
  if (engine.rounds.length === 1) return `${count(rate.median)}${cut}`;
  return `${count(rate.median)}${cut} (${short(rate.min)}–${short(rate.max)})`;
}

function ratioCell(row: Row): string {
  const mine = row.engines.find(({ engine }) => engine === ours);
  const best = bestPeer(row);
  const rate = mine === undefined ? undefined : rateOf(mine);
  if (mine === undefined || mine.absent !== undefined) return "—";
  if (rate === undefined || best === undefined) return "—";
  const ratio = (rate.median / best.rate.median).toFixed(2);
  if (mine.rounds.length === 1) return `${ratio} ${best.engine}`;
  // The pessimist's and the optimist's view of the same rounds.
  const range = [rate.min / best.rate.max, rate.max / best.rate.min];
  return `${ratio} (${range.map((bound) => bound.toFixed(2)).join("–")}) ${best.engine}`;
}

function costLine(row: Row, engine: EngineRow): string[] {
  const middle = (pick: (round: Measurement) => number | undefined): number | undefined =>
    spreadOf(engine.rounds.flatMap((round) => pick(round) ?? []))?.median;
  const show = (number: number | undefined, form: (number: number) => string): string =>
    number === undefined ? "—" : form(number);
  const fixed = (number: number): string => number.toFixed(2);
  return [
    rowLabel(row),
    engine.engine,
    show(
      middle(({ latency }) => latency.p50Ms),
      milliseconds,
    ),
    show(
      middle(({ latency }) => latency.p99Ms),
      milliseconds,
    ),
    show(
      middle(({ latency }) => latency.p999Ms),
      milliseconds,
    ),
    show(
      middle(({ latency }) => latency.maxMs),
      milliseconds,
    ),
    show(
      middle(({ cpuSeconds }) => cpuSeconds),
      fixed,
    ),
    show(
      middle(({ cpuSeconds, operations }) => (cpuSeconds / operations) * 1e6),
      fixed,
    ),
    show(
      middle(({ peakBytes }) => peakBytes),
      bytes,
    ),
    show(
      middle(({ diskBytes }) => diskBytes),
      bytes,
    ),
    show(
      middle(({ writtenBytes }) => writtenBytes),
      bytes,
    ),
    show(
      middle(({ writeAmplification }) => writeAmplification),
      fixed,
    ),
    show(
      middle(({ spaceAmplification }) => spaceAmplification),
      fixed,
    ),
    show(
      middle(({ drainSeconds }) => drainSeconds),
      fixed,
    ),
  ];
}

function short(rate: number): string {
  if (rate >= 999_500) return `${(rate / 1e6).toFixed(2)}M`;
  if (rate >= 9_950) return `${Math.round(rate / 1000)}k`;
  return rate >= 1000 ? `${(rate / 1000).toFixed(1)}k` : String(Math.round(rate));
}
