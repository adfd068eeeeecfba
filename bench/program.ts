/** What a command measures, in the order in which it does, and how long that may take. */
import type { Choices } from "./choices.ts";
import type { Shape } from "./forecast.ts";
import { microNames, microSeconds } from "./micro.ts";
import { suiteSeconds } from "./rounds.ts";
import { type SceneName, sceneNames, sceneSeconds } from "./stage.ts";
import type { TargetInfo } from "./target.ts";

export interface Program {
  readonly suites: readonly string[];
  /** Data sets of the rows. */
  readonly sizes: readonly Shape[];
  readonly scenes: readonly (Shape & { readonly scene: SceneName })[];
}

export function programOf({ command, operands, sizes }: Choices): Program {
  const none: Program = { suites: [], sizes: [], scenes: [] };
  switch (command) {
    case "all": {
      const n = sizes[0]?.n ?? 0;
      const large = { n: 10 * n, valueBytes: 100 };
      return {
        suites: microNames,
        sizes: [...[100, 1024, 4096].map((valueBytes) => ({ n, valueBytes })), large],
        scenes: sceneNames.map((scene) => ({ scene, ...large })),
      };
    }
    case "micro":
      return { ...none, suites: operands.length > 0 ? operands : microNames };
    case "engine":
      return { ...none, sizes };
    case "compare":
    case "chart":
      return none;
    default:
      return { ...none, scenes: sizes.map((shape) => ({ scene: command, ...shape })) };
  }
}

export function programSeconds(
  { suites, sizes, scenes }: Program,
  choices: Choices,
  targets: readonly TargetInfo[],
): number {
  const { rounds } = choices;
  const engines = targets.map(({ name }) => name);
  const speeds = targets.map(({ speed = 1 }) => speed);
  const played = scenes.map((scene) => sceneSeconds(scene.scene, { ...scene, engines, rounds }));
  return (
    microSeconds(suites) +
    suiteSeconds({ ...choices, sizes, speeds }) +
    played.reduce((sum, seconds) => sum + seconds, 0)
  );
}
