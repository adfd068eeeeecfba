/** What the command lines of the benchmarks have in common. */
import { type ParseArgsConfig, parseArgs } from "node:util";

export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Options and operands; what does not fit is a UsageError. */
export function parsed<O extends NonNullable<ParseArgsConfig["options"]>>(
  argv: readonly string[],
  options: O,
): ReturnType<typeof parseArgs<{ args: string[]; allowPositionals: true; options: O }>> {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

interface Bounds {
  readonly least: number;
  readonly most: number;
}

export function numberIn(name: string, given: string, bounds: Bounds): number {
  const [only, second] = numbersIn(name, given, bounds);
  if (only !== undefined && second === undefined) return only;
  throw new UsageError(`--${name} takes one number, got ${given}`);
}

/** Whole numbers by commas; 1e6 and 10_000 are numbers too. */
export function numbersIn(name: string, given: string, { least, most }: Bounds): number[] {
  return given.split(",").map((part) => {
    const number = Number(part.replaceAll("_", "") || Number.NaN);
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    throw new UsageError(`--${name} takes whole numbers from ${least} to ${most}, got ${part}`);
  });
}
