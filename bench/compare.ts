/** Two results side by side: which rows and facts changed by more than noise (see judge.ts). */
import { judgeAll, leastNoticed, type Pair, roundsNeeded, type Verdict } from "./judge.ts";
import { rowLabel, sameRow, spreadOf } from "./measurement.ts";
import type { Report } from "./report.ts";
import type { Fact, SceneResult } from "./scene.ts";
import { columns, count, isDriver, isOurs, ours } from "./table.ts";

export interface Change extends Pair {
  readonly label: string;
  readonly engine: string;
  readonly verdict: Verdict;
}

/** Facts in these units are better when there is more; in the other units, when there is less. */
const moreIsBetter = ["/s", "%"];
/** So many of the peers' rows may seem changed by chance. */
const peersByChance = 0.1;

/** Every row and fact that both results have; the driver alone is no engine to judge. */
export function changesBetween(before: Report, after: Report): Change[] {
  const all = [...rowPairs(before, after), ...factPairs(before, after)];
  const pairs = all.filter(({ engine }) => !isDriver(engine));
  const verdicts = judgeAll(pairs);
  return pairs.map((pair, i) => ({ ...pair, verdict: verdicts[i] ?? "unsure" }));
}

/** Prints the changes; returns 1 if something of ours became worse, else 0. */
export function compareReports(before: Report, after: Report, say: (line: string) => void): number {
  const changes = changesBetween(before, after);
  if (changes.length === 0) throw new Error("the two results have no row in common");
  const head = ["row", "engine", "before", "after", "change", "verdict"];
  const lines = changes.flatMap(({ label, engine, before: from, after: to, verdict }) => {
    const earlier = spreadOf(from);
    const later = spreadOf(to);
    if (earlier === undefined || later === undefined) return [];
    const shown = [earlier, later].map(
      ({ median, min, max }) => `${count(median)} (${count(min)}–${count(max)})`,
    );
    const percent = 100 * (later.median / earlier.median - 1);
    const change = Number.isFinite(percent) ? `${percent.toFixed(1)} %` : "";
    return [[label, engine, ...shown, change, verdict]];
  });
  say(columns([head, ...lines]).trimEnd());
  say("");
  const mine = changes.filter(({ engine }) => isOurs(engine));
  const worse = mine.filter(({ verdict }) => verdict === "worse").length;
  const better = mine.filter(({ verdict }) => verdict === "better").length;
  say(`${ours}: ${worse} worse and ${better} better, of ${mine.length}`);
  for (const doubt of doubtsOf(changes)) say(doubt);
  return worse > 0 ? 1 : 0;
}

function doubtsOf(changes: readonly Change[]): string[] {
  const doubts: string[] = [];
  const peers = changes.filter(({ isPeer, verdict }) => isPeer && verdict !== "unsure");
  const moved = peers.filter(({ verdict }) => verdict !== "same").length;
  if (moved > peersByChance * peers.length) {
    doubts.push(
      `${moved} of ${peers.length} rows of the peers changed too, and their code did not: ` +
        "the machine did, so measure again",
    );
  }
  const noticed = leastNoticed(changes.filter(({ isPeer }) => !isPeer));
  if (noticed !== undefined) {
    const percent = (100 * noticed).toFixed(0);
    doubts.push(
      `losses below ${percent} % drown in the noise of the middle row; rounds lower that`,
    );
  }
  if (changes.some(({ verdict }) => verdict === "unsure")) {
    doubts.push(`unsure: fewer than ${roundsNeeded} rounds a side prove nothing, nor does a zero`);
  }
  return doubts;
}

type Named = Omit<Change, "verdict">;

function rowPairs(before: Report, after: Report): Named[] {
  return before.rows.flatMap((row) => {
    const other = after.rows.find((candidate) => sameRow(row, candidate));
    const label = `${rowLabel(row)}, ${count(row.n)} × ${row.valueBytes} B`;
    return row.engines.flatMap(({ engine, rounds }): Named[] => {
      const twin = other?.engines.find((candidate) => candidate.engine === engine);
      if (twin === undefined || rounds.length === 0 || twin.rounds.length === 0) return [];
      const rates = {
        before: rounds.map(({ rate }) => rate),
        after: twin.rounds.map(({ rate }) => rate),
      };
      return [{ ...named(label, engine), lessIsBetter: false, ...rates }];
    });
  });
}

function factPairs(before: Report, after: Report): Named[] {
  return before.scenes.flatMap((scene) => {
    const other = after.scenes.find(
      ({ scene: name, n, valueBytes }) =>
        name === scene.scene && n === scene.n && valueBytes === scene.valueBytes,
    );
    if (other === undefined) return [];
    return firstOfEach(scene.facts).flatMap(({ engine, name, unit }): Named[] => {
      const values = {
        before: valuesOf(scene, engine, name),
        after: valuesOf(other, engine, name),
      };
      // What has no unit is a count, neither good nor bad.
      if (values.after.length === 0 || unit === "") return [];
      const label = `${scene.scene}: ${name}, ${unit}`;
      return [{ ...named(label, engine), lessIsBetter: !moreIsBetter.includes(unit), ...values }];
    });
  });
}

function named(label: string, engine: string) {
  return { label, row: label, engine, isPeer: !isOurs(engine) };
}

function firstOfEach(facts: readonly Fact[]): Fact[] {
  const seen = new Map(facts.map((fact) => [`${fact.engine}\n${fact.name}`, fact]));
  return [...seen.values()];
}

function valuesOf({ facts }: SceneResult, engine: string, name: string): number[] {
  return facts.filter((fact) => fact.engine === engine && fact.name === name).map((f) => f.value);
}
