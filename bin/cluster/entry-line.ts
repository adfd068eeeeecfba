/** One line of NDJSON for a key with any number of values. `import` reads those with one back. */
import { type Encoding, encode, textOf } from "../bytes.ts";
import { formatEntry } from "../entry-lines.ts";

/** `values` is undefined where only keys are wanted. */
export function entryLine(
  key: Uint8Array,
  values: readonly Uint8Array[] | undefined,
  encoding: Encoding,
): string {
  const form = { format: "ndjson", encoding } as const;
  if (values === undefined || values.length === 1) return formatEntry(key, values?.[0], form);
  const head = formatEntry(key, undefined, form).replace(/\}\n$/, "");
  const inText = encoding === "text" && values.every((value) => textOf(value) !== undefined);
  const name = inText || encoding !== "text" ? "values" : "valuesBase64";
  const list = values.map((value) =>
    inText ? textOf(value) : encode(value, encoding === "text" ? "base64" : encoding),
  );
  return `${head},${JSON.stringify(name)}:${JSON.stringify(list)}}\n`;
}
