/** A scene measures one promise that no row of the table shows, and gives facts, with goals. */
export interface SceneRequest {
  readonly scene: string;
  readonly engine: string;
  readonly n: number;
  readonly valueBytes: number;
  /** An empty directory, or for the second half of a scene what the first half left. */
  readonly directory: string;
}

export interface Fact {
  readonly engine: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the project wants of itself. */
  readonly goal?: { readonly most: number } | { readonly least: number };
}

export interface SceneResult {
  readonly scene: string;
  readonly n: number;
  readonly valueBytes: number;
  /** One fact a round. */
  readonly facts: readonly Fact[];
  readonly failures: readonly string[];
}

export type Scene = (request: SceneRequest) => Promise<Fact[]>;

export function meets({ value, goal }: Fact): boolean | undefined {
  if (goal === undefined) return undefined;
  return "most" in goal ? value <= goal.most : value >= goal.least;
}
