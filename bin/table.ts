/** Columns as wide as they need; numbers and sizes stand to the right. */

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const isNumber = heads.map((_, i) => rows.every((row) => number.test(row[i] ?? "")));
  return all
    .map((row) => {
      const cells = row.map((cell, i) =>
        isNumber[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      );
      return `${cells.join("  ").trimEnd()}\n`;
    })
    .join("");
}

/** Also "-" for none, "33.3%" and "4.0 KiB". */
const number = /^(-|[\d.,]*( ?%| ?[KMGT]?i?B)?)$/;
