/**
 * Tells a regression from noise: a row has changed only where the ranges of the two runs do not
 * overlap, so that even the luckiest round of the worse is behind the unluckiest of the better.
 * With three rounds a side, unchanged code passes for changed once in ten rows (2 of the 20 ways
 * in which six equal rounds can fall), so look at the rest of the table before believing one row.
 */
import { readFileSync } from "node:fs";
import { type Report, type Row, rowLabel, type Spread, sameRow } from "./measurement.ts";
import { columns, count, ours, rateOf } from "./table.ts";

export type Verdict = "better" | "worse" | "same" | "unsure";

export interface Change {
  readonly row: Row;
  readonly engine: string;
  readonly before: Spread;
  readonly after: Spread;
  readonly verdict: Verdict;
}

/** Two equal runs of two rounds fall apart in a third of all cases: too often to prove anything. */
const roundsNeeded = 3;

export function judge(
  before: Spread,
  after: Spread,
  rounds: { readonly before: number; readonly after: number },
): Verdict {
  if (Math.min(rounds.before, rounds.after) < roundsNeeded) return "unsure";
  if (after.max < before.min) return "worse";
  return after.min > before.max ? "better" : "same";
}

/** Every row and engine that both runs have. */
export function changesBetween(before: Report, after: Report): Change[] {
  return before.rows.flatMap((row) => {
    const other = after.rows.find((candidate) => sameRow(row, candidate));
    return row.engines.flatMap((engine): Change[] => {
      const twin = other?.engines.find((candidate) => candidate.engine === engine.engine);
      const rates = { before: rateOf(engine), after: twin && rateOf(twin) };
      if (twin === undefined || rates.before === undefined || rates.after === undefined) return [];
      const rounds = { before: engine.rounds.length, after: twin.rounds.length };
      const verdict = judge(rates.before, rates.after, rounds);
      return [{ row, engine: engine.engine, before: rates.before, after: rates.after, verdict }];
    });
  });
}

/** Prints the changes; returns 1 if a row of ours became worse, else 0. */
export function compareFiles(
  paths: { readonly before: string; readonly after: string },
  say: (line: string) => void,
): number {
  const reports = { before: readReport(paths.before), after: readReport(paths.after) };
  const changes = changesBetween(reports.before, reports.after);
  const head = ["row", "n", "value", "engine", "before", "after", "change", "verdict"];
  const lines = changes.map(({ row, engine, before, after, verdict }) => [
    rowLabel(row),
    count(row.n),
    `${row.valueBytes} B`,
    engine,
    `${count(before.median)} (${count(before.min)}–${count(before.max)})`,
    `${count(after.median)} (${count(after.min)}–${count(after.max)})`,
    `${(100 * (after.median / before.median - 1)).toFixed(1)} %`,
    verdict,
  ]);
  say(columns([head, ...lines]).trimEnd());
  const isOurs = ({ engine }: Change): boolean => engine === ours;
  const worse = changes.filter(({ verdict }) => verdict === "worse");
  const drifted = changes.filter((change) => !isOurs(change) && change.verdict !== "same");
  say("");
  say(`${worse.filter(isOurs).length} rows of ${ours} worse, of ${changes.filter(isOurs).length}`);
  if (drifted.some(({ verdict }) => verdict !== "unsure")) {
    say("peers changed too, and their code did not: the machine did, so measure again");
  }
  if (changes.some(({ verdict }) => verdict === "unsure")) {
    say(`rows with fewer than ${roundsNeeded} rounds a side prove nothing`);
  }
  return worse.some(isOurs) ? 1 : 0;
}

export function readReport(path: string): Report {
  const report = JSON.parse(readFileSync(path, "utf8")) as Partial<Report>;
  if (report.kind !== "everwrite-bench" || report.version !== 1 || report.rows === undefined) {
    throw new Error(`${path} is not a result of this benchmark`);
  }
  return report as Report;
}
