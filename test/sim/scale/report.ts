/** The figures of clusters of several sizes, side by side: as a table, and as charts. */
import type { ScaleFigures } from "./measure.ts";

export interface Figure {
  readonly name: string;
  readonly unit: string;
  of(figures: ScaleFigures): number;
}

export const figures: readonly Figure[] = [
  { name: "copies on the fullest node", unit: "x the average", of: ({ ownership }) => ownership },
  { name: "messages of a put", unit: "", of: ({ put }) => put.messages },
  { name: "messages of a get", unit: "", of: ({ get }) => get.messages },
  { name: "bytes of a put between nodes", unit: "B", of: ({ put }) => put.bytes },
  { name: "bytes of a get between nodes", unit: "B", of: ({ get }) => get.bytes },
  { name: "gossip of a node at rest", unit: "B/s", of: ({ gossipBytes }) => gossipBytes },
  { name: "all that a node says at rest", unit: "B/s", of: ({ idleBytes }) => idleBytes },
  { name: "live nodes taken for absent", unit: "in 10 s", of: ({ suspicions }) => suspicions },
  { name: "news at everybody", unit: "rounds", of: ({ newsRounds }) => newsRounds },
  { name: "a frozen node asked by nobody", unit: "ms", of: ({ absentMs }) => absentMs },
  { name: "a join is decided", unit: "ms", of: ({ joinMs }) => joinMs },
  { name: "a join is known to all", unit: "ms", of: ({ joinedMs }) => joinedMs },
];

export function tableOf(measured: readonly ScaleFigures[]): string {
  const head = ["", ...measured.map(({ nodes }) => `${nodes} nodes`), ""];
  const rows = figures.map(({ name, unit, of }) => {
    return [name, ...measured.map((each) => digits(of(each))), unit];
  });
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        return i === 0 || i === row.length - 1 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
  return lines.join("\n");
}

/** What did not come about in time is none; JSON has null for it. */
export function isFigure(value: number): boolean {
  return Number.isFinite(value);
}

/** As much of a number as anybody reads. */
export function digits(value: number): string {
  if (!isFigure(value)) return "—";
  return value >= 100 ? String(Math.round(value)) : String(Math.round(100 * value) / 100);
}
