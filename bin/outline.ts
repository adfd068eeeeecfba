/** Any plain object as indented text: one line for a fact, one for each member of a list. */
import { encode } from "./bytes.ts";

export function outline(value: unknown, indent = ""): string {
  if (!isObject(value)) return `${indent}${scalar(value)}\n`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return fields
    .map(([name, field]) => {
      if (!isObject(field)) return `${indent}${name}: ${scalar(field)}\n`;
      if (Array.isArray(field)) return `${indent}${name}: ${listOf(field, `${indent}  `)}`;
      return `${indent}${name}:\n${outline(field, `${indent}  `)}`;
    })
    .join("");
}

function listOf(items: readonly unknown[], indent: string): string {
  if (items.length === 0) return "none\n";
  if (items.every((item) => !isObject(item)) && items.length <= 8) {
    return `${items.map(scalar).join(", ")}\n`;
  }
  return `${items.length}\n${items.map((item) => `${indent}${inLine(item)}\n`).join("")}`;
}

/** A member of a list: its facts side by side. */
function inLine(item: unknown): string {
  if (!isObject(item)) return scalar(item);
  return Object.entries(item)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => `${name}=${isObject(field) ? JSON.stringify(field) : scalar(field)}`)
    .join("  ");
}

function scalar(value: unknown): string {
  if (value instanceof Uint8Array) return encode(value, "hex");
  if (typeof value !== "string") return String(value);
  // Quoted only where the reader could not tell where it begins and ends.
  return /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}
