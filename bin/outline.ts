/** Any plain object as indented text: one line for a fact, one for each member of a list. */
import { quote } from "./bytes.ts";

export function outline(value: object, indent = ""): string {
  return Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => {
      const brief = briefly(field);
      if (brief !== undefined) return `${indent}${name}: ${brief}\n`;
      if (Array.isArray(field)) return `${indent}${name}: ${listOf(field, `${indent}  `)}`;
      return `${indent}${name}:\n${outline(field as object, `${indent}  `)}`;
    })
    .join("");
}

/** Members below each other; of each, what is brief on one line and its own lists below that. */
function listOf(items: readonly unknown[], indent: string): string {
  if (items.length === 0) return "none\n";
  const lines = items.map((item) => {
    const brief = briefly(item);
    if (brief !== undefined) return `${indent}${brief}\n`;
    const fields = Object.entries(item as object).filter(([, field]) => field !== undefined);
    const facts = fields.flatMap(([name, field]) => {
      const fact = briefly(field);
      return fact === undefined ? [] : [`${name}=${fact}`];
    });
    const rest = fields.filter(([, field]) => briefly(field) === undefined);
    return `${indent}${facts.join("  ")}\n${outline(Object.fromEntries(rest), `${indent}    `)}`;
  });
  return `${items.length}\n${lines.join("")}`;
}

/** What fits into a line beside others; undefined for what has parts. */
function briefly(value: unknown): string | undefined {
  if (typeof value === "string") {
    // Quoted only where the reader could not tell where it begins and ends.
    return /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value);
  }
  if (typeof value !== "object" || value === null) return String(value);
  // Keys and values are {"text": …} or {"hex": …}.
  const [only, ...others] = Object.entries(value);
  if (only === undefined || others.length > 0 || typeof only[1] !== "string") return undefined;
  if (only[0] === "text") return quote(only[1]);
  return only[0] === "hex" ? `0x${only[1]}` : undefined;
}
