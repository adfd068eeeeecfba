/**
 * All kinds of faults that a run may meet, by name. A seed meets about two thirds of them: runs in
 * which some kind is absent reach what its presence would hide.
 */

import { failingDisks, foreignDisks, fullDisks, oldDisks, rot, slowDisks } from "./faults/disk.ts";
import {
  bridges,
  cuts,
  flaps,
  replays,
  slowReceivers,
  storms,
  swizzles,
} from "./faults/network.ts";
import {
  blackouts,
  clockDrifts,
  clockLeaps,
  clockOffsets,
  crashes,
  freezes,
} from "./faults/process.ts";
import { rough, type Weather } from "./network.ts";
import type { Operator } from "./operator.ts";
import { type Kind, streamOf } from "./trouble.ts";
import { Upheaval } from "./upheaval.ts";

/** What every frame is exposed to, by the name that switches it off. */
const exposures = {
  latency: { delayMsMax: 2 },
  loss: { loss: 0 },
  repeat: { repeat: 0 },
  echo: { echo: 0 },
} as const;

export interface Choice {
  readonly seed: number;
  /** Names of kinds that are switched off. */
  readonly without: readonly string[];
}

export function kindsOf({ seed, without }: Choice, operator: Operator): readonly Kind[] {
  const all = allKinds(operator);
  const chosen = all.filter(({ name }) => streamOf(seed, `with ${name}`).below(3) > 0);
  return chosen.filter(({ name }) => !without.includes(name));
}

export function weatherOf({ without }: Choice): Weather {
  let weather: Weather = rough;
  for (const [name, calm] of Object.entries(exposures)) {
    if (without.includes(name)) weather = { ...weather, ...calm };
  }
  return weather;
}

/** Every name that `without` may hold. */
export function kindNames(operator: Operator): readonly string[] {
  return [...Object.keys(exposures), ...allKinds(operator).map(({ name }) => name)];
}

function allKinds(operator: Operator): readonly Kind[] {
  return [
    ...[crashes(operator, 3), blackouts(operator), freezes],
    ...[clockOffsets, clockLeaps, clockDrifts],
    ...[cuts, bridges, flaps, swizzles, storms, slowReceivers, replays],
    ...[fullDisks(4), failingDisks(4), slowDisks],
    ...[oldDisks(operator), foreignDisks(operator)],
    ...[rot(operator, "rot"), rot(operator, "misdirected")],
    ...new Upheaval(operator).kinds,
  ];
}
