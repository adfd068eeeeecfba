/** What is measured of Everwrite's cluster alone: scenes, and how long each takes. */
import { withScratch } from "../cleanup.ts";
import type { Fact } from "../scene.ts";
import type { ClusterChoices } from "./choices.ts";
import { costs } from "./costs.ts";
import { compaction, exchange, joining } from "./faults/changes.ts";
import { frozen, killed } from "./faults/losses.ts";
import type { FaultRequest } from "./faults/recording.ts";
import { routing } from "./faults/routing.ts";
import { versionBytes } from "./versions.ts";

export interface PlannedScene {
  readonly scene: string;
  readonly n: number;
  readonly rounds: number;
  /** Of one round, about. */
  readonly seconds: number;
  readonly play: (round: number) => Promise<Fact[]>;
}

interface Fault {
  readonly name: string;
  /** How many times --seconds it lasts, about. */
  readonly stretches: number;
  readonly play: (request: FaultRequest) => Promise<Fact[]>;
}

const faults: readonly Fault[] = [
  { name: "routing", stretches: 8, play: routing },
  { name: "frozen", stretches: 3, play: frozen },
  { name: "killed", stretches: 2, play: killed },
  { name: "joining", stretches: 5, play: joining },
  { name: "exchange", stretches: 5, play: exchange },
  { name: "compaction", stretches: 2, play: compaction },
];
const startSeconds = 10;
const cleanSeconds = 20;
const fillRate = 8_000;

export function scenesFor(choices: ClusterChoices, directory: string): PlannedScene[] {
  const { parts } = choices;
  return [
    ...(parts.includes("costs") || parts.includes("profile") ? [costsOf(choices, directory)] : []),
    ...(parts.includes("costs") ? [versionsOf(choices, directory)] : []),
    ...(parts.includes("faults") ? faultsOf(choices, directory) : []),
  ];
}

function costsOf(choices: ClusterChoices, directory: string): PlannedScene {
  const { n, valueBytes, seconds, rounds, parts } = choices;
  const isProfiled = parts.includes("profile");
  const request = { n, valueBytes, seconds, directory, isProfiled };
  const starts = isProfiled ? 3 : 1;
  return {
    ...{ scene: "costs", n, rounds },
    seconds: starts * (startSeconds + n / fillRate) + 4 * seconds,
    play: (round) => costs({ ...request, round }),
  };
}

/** Bytes of versions are the same each time. */
function versionsOf({ n, valueBytes }: ClusterChoices, directory: string): PlannedScene {
  return {
    ...{ scene: "versions", n, rounds: 1 },
    seconds: 2 * startSeconds + (3 * n) / fillRate + cleanSeconds,
    play: () => versionBytes({ n, valueBytes, directory }),
  };
}

function faultsOf(choices: ClusterChoices, directory: string): PlannedScene[] {
  const { records: n, valueBytes, rate, seconds, rounds, faults: chosen } = choices;
  const load = { n, valueBytes, rate, seconds };
  return faults
    .filter(({ name }) => chosen.length === 0 || chosen.some((begin) => name.startsWith(begin)))
    .map(({ name, stretches, play }) => ({
      ...{ scene: name, n, rounds },
      seconds: startSeconds + n / fillRate + stretches * seconds,
      play: () => withScratch(directory, (scratch) => play({ ...load, directory: scratch })),
    }));
}
