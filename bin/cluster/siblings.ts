/** Siblings for people, as a table, and for programs, one value a line. */
import type { Found } from "../../src/client/api.ts";
import { show } from "../bytes.ts";

const shownCharacters = 60;

/** With columns on a terminal; elsewhere the values alone, escaped, one a line. */
export function siblingTable({ values, written }: Found, isTerminal: boolean): string {
  if (!isTerminal) return values.map((value) => `${show(value)}\n`).join("");
  const rows = values.map((value, i) => {
    const { time, actor } = written[i] ?? { time: 0, actor: "" };
    const text = show(value);
    const short = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
    return [String(i), new Date(time).toISOString(), actor, String(value.length), short];
  });
  return table([" #", "written", "by", "bytes", "value"], rows);
}

/** Columns as wide as they need; numbers stand to the right. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const isNumber = heads.map((_, i) => rows.every((row) => /^[\d.,%-]*$/.test(row[i] ?? "")));
  return all
    .map((row) => {
      const cells = row.map((cell, i) =>
        isNumber[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      );
      return `${cells.join("  ").trimEnd()}\n`;
    })
    .join("");
}
