/** The shapes of patches.mjs, which runs without a build and is used by a test too. */
export interface Patch {
  readonly name: string;
  readonly file: string;
  readonly promise: string;
  readonly killer: string;
  /** "suite > test"; empty where the whole file is to be run. */
  readonly title: string;
  readonly set: string;
  readonly hangs: boolean;
  readonly touches: readonly string[];
}

export function readPatches(): Patch[];

export function applyPatch(
  patch: Patch,
  directory: string,
  options: { readonly check: boolean },
): { readonly applies: boolean; readonly said: string };
