/** Plays the named scenes, engines interleaved, and prints their facts with the goals. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { askChild } from "./fork-child.ts";
import { spreadOf } from "./measurement.ts";
import { type Fact, meets } from "./scene.ts";
import { keptFacts } from "./scenes/growth.ts";
import { columns, count, driver, ours } from "./table.ts";

export const sceneNames = ["growth", "loop", "paced", "memory", "recovery", "cold"] as const;
export type SceneName = (typeof sceneNames)[number];

export interface StageRequest {
  readonly scene: SceneName;
  /** Recovery and cold reads are shown of ours alone: they look inside. */
  readonly engines: readonly string[];
  readonly n: number;
  readonly valueBytes: number;
  readonly rounds: number;
  readonly directory: string;
  readonly say: (line: string) => void;
}

export interface SceneResult {
  readonly scene: string;
  readonly n: number;
  readonly valueBytes: number;
  /** One fact a round. */
  readonly facts: readonly Fact[];
  readonly failures: readonly string[];
}

const minutesMax = 60;
const alone: readonly SceneName[] = ["recovery", "cold"];

export async function playScene(request: StageRequest): Promise<SceneResult> {
  const { scene, n, valueBytes, rounds, say } = request;
  const others = request.engines.filter((name) => name !== driver || scene === "paced");
  const engines = alone.includes(scene) ? [ours] : others;
  const facts: Fact[] = [];
  const failures: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const engine of engines) {
      say(`${scene}, round ${round} of ${rounds}: ${engine}`);
      try {
        facts.push(...(await playOnce(request, engine)));
      } catch (error) {
        failures.push(`${engine}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { scene, n, valueBytes, facts, failures };
}

export function factsTable({ scene, n, valueBytes, facts, failures }: SceneResult): string {
  const seen = new Map<string, Fact[]>();
  for (const fact of facts) {
    const key = `${fact.name}\n${fact.engine}`;
    seen.set(key, [...(seen.get(key) ?? []), fact]);
  }
  const lines = [...seen.values()].flatMap((rounds) => {
    const fact = rounds[0];
    const spread = spreadOf(rounds.map(({ value }) => value));
    if (fact === undefined || spread === undefined) return [];
    const { median, min, max } = spread;
    const range = rounds.length > 1 ? `${count(min)}–${count(max)}` : "";
    // The goals are those of this project; a peer's value is there to compare.
    const met = fact.engine === ours ? meets({ ...fact, value: median }) : undefined;
    const goal = met === undefined ? "" : `${goalText(fact)}: ${met ? "met" : "missed"}`;
    return [[fact.name, fact.engine, `${count(median)} ${fact.unit}`.trim(), range, goal]];
  });
  const title = `${scene}: ${n.toLocaleString("en-US")} keys, values of ${valueBytes} B`;
  const failed = failures.map((failure) => `failed: ${failure}\n`).join("");
  return `${title}\n${columns(lines)}${failed}`;
}

async function playOnce(request: StageRequest, engine: string): Promise<Fact[]> {
  const { n, valueBytes } = request;
  const directory = mkdtempSync(join(request.directory, "everwrite-bench-"));
  const ask = (scene: string): Promise<Fact[]> => {
    const argument = JSON.stringify({ scene, engine, n, valueBytes, directory });
    return askChild<Fact[]>({ script: "scene-child", argument, minutesMax, mayDie: true });
  };
  try {
    if (request.scene === "growth") {
      return keptFacts(await ask("growthSmall"), await ask("growthLarge"));
    }
    if (request.scene !== "recovery") return await ask(request.scene);
    await ask("writeLog");
    const facts = await ask("replayLog");
    rmSync(directory, { recursive: true });
    await ask("writeAll");
    facts.push(...(await ask("openClean")));
    facts.push(...(await ask("openKilled")));
    return facts;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function goalText({ goal, unit }: Fact): string {
  if (goal === undefined) return "";
  const text = "most" in goal ? `≤ ${goal.most}` : `≥ ${goal.least}`;
  return `goal ${text} ${unit}`.trim();
}
