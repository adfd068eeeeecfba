/** Plays the named scenes, engines interleaved, and prints their facts with the goals. */
import { withScratch } from "./cleanup.ts";
import { loadSeconds, type Progress, type Shape } from "./forecast.ts";
import { askChild } from "./fork-child.ts";
import { spreadOf } from "./measurement.ts";
import { type Fact, meets, type SceneResult } from "./scene.ts";
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
  readonly progress: Progress;
}

const minutesMax = 60;
const alone: readonly SceneName[] = ["recovery", "cold"];

export async function playScene(request: StageRequest): Promise<SceneResult> {
  const { scene, n, valueBytes, rounds, progress } = request;
  const engines = enginesOf(scene, request.engines);
  const facts: Fact[] = [];
  const failures: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const engine of engines) {
      progress.begin(`${scene}, round ${round} of ${rounds}: ${engine}`);
      try {
        facts.push(...(await playOnce(request, engine)));
      } catch (error) {
        failures.push(`${engine}: ${error instanceof Error ? error.message : String(error)}`);
      }
      progress.end(onceSeconds(scene, request));
    }
  }
  return { scene, n, valueBytes, facts, failures };
}

/** The forecast of `playScene`. */
export function sceneSeconds(
  scene: SceneName,
  request: Shape & { readonly engines: readonly string[]; readonly rounds: number },
): number {
  const times = enginesOf(scene, request.engines).length * request.rounds;
  return times * onceSeconds(scene, request);
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

function enginesOf(scene: SceneName, engines: readonly string[]): readonly string[] {
  if (alone.includes(scene)) return [ours];
  return engines.filter((name) => name !== driver || scene === "paced");
}

/** Roughly, from what each scene does; see the scenes. */
function onceSeconds(scene: SceneName, { n, valueBytes }: Shape): number {
  const load = 2 + loadSeconds({ n, valueBytes });
  const awaitedReads = 100_000;
  switch (scene) {
    case "growth":
      return 1.1 * load + (20 * (n / 10)) / awaitedReads;
    case "loop":
      return 1.5 * load;
    case "paced":
      return Math.min(300, n / 50_000) + 1;
    case "memory":
      return load + Math.min(n, 3_000_000) / awaitedReads;
    case "recovery":
      return load + 5;
    case "cold":
      return load + 6;
    default:
      return unreachable(scene);
  }
}

function unreachable(scene: never): never {
  throw new Error(`there is no scene named ${String(scene)}`);
}

async function playOnce(request: StageRequest, engine: string): Promise<Fact[]> {
  const { scene, n, valueBytes } = request;
  const play = (part: string, directory: string): Promise<Fact[]> => {
    const argument = JSON.stringify({ scene: part, engine, n, valueBytes, directory });
    return askChild<Fact[]>({ script: "scene-child", argument, minutesMax, mayDie: true });
  };
  const inScratch = (use: (ask: (part: string) => Promise<Fact[]>) => Promise<Fact[]>) =>
    withScratch(request.directory, (directory) => use((part) => play(part, directory)));
  if (scene === "growth") {
    const few = await inScratch((ask) => ask("growthSmall"));
    return keptFacts(few, await inScratch((ask) => ask("growthLarge")));
  }
  if (scene !== "recovery") return inScratch((ask) => ask(scene));
  const replayed = await inScratch(async (ask) => {
    await ask("writeLog");
    return ask("replayLog");
  });
  const opened = await inScratch(async (ask) => {
    await ask("writeAll");
    return [...(await ask("openClean")), ...(await ask("openKilled"))];
  });
  return [...replayed, ...opened];
}

function goalText({ goal, unit }: Fact): string {
  if (goal === undefined) return "";
  const text = "most" in goal ? `≤ ${goal.most}` : `≥ ${goal.least}`;
  return `goal ${text} ${unit}`.trim();
}
