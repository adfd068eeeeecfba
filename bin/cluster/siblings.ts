/** Siblings for people, as a table, and for programs, one value a line. */
import type { Found } from "../../src/client/api.ts";
import { show } from "../bytes.ts";
import { table } from "../table.ts";

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
  return table(["#", "written", "by", "bytes", "value"], rows);
}
