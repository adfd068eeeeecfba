/** explain: what an error code means. All of them come from the registries that also set them. */
import { clusterCodes, engineCodes } from "../../src/index.ts";
import { advice } from "../advice.ts";
import { commandCodes, exits, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { table } from "../table.ts";

interface Explained {
  readonly code: string;
  readonly exit: number;
  /** Whether a write that failed with it took effect; the error itself may know better. */
  readonly applied: "no" | "maybe" | "yes";
  readonly meaning: string;
  readonly advice: string | undefined;
}

export async function explain({ args, output }: Invocation): Promise<number> {
  const known = explanations();
  const [given] = args;
  if (given === undefined) {
    const rows = known.map(({ code, exit, applied, meaning }) => [
      ...[code, String(exit), applied, meaning],
    ]);
    await output.result(known, table(["code", "exit", "applied", "meaning"], rows));
    return exits.ok;
  }
  const found = known.find(({ code }) => code === given.toUpperCase());
  if (found === undefined) {
    throw usage(`there is no code ${JSON.stringify(given)}`, "kvctl explain lists them all");
  }
  await output.result(found, inWords(found));
  return exits.ok;
}

/** Where the engine and the cluster share a code, the cluster's meaning is the wider one. */
function explanations(): readonly Explained[] {
  const registry = { ...commandCodes, ...engineCodes, ...clusterCodes };
  return Object.entries(registry)
    .map(([code, { exit, applied, meaning }]) => {
      return { code, exit, applied, meaning, advice: advice[code] };
    })
    .sort((a, b) => (a.code < b.code ? -1 : 1));
}

const effects = {
  no: "nothing was changed",
  maybe: "a write may have taken effect: read before trying again",
  yes: "the write took effect",
} as const;

function inWords({ code, exit, applied, meaning, advice: said }: Explained): string {
  const lines = [
    `${code}: ${meaning}`,
    `  exit code  ${exit}`,
    `  applied    ${applied}: ${effects[applied]}`,
  ];
  if (said !== undefined) lines.push(`  what to do ${said}`);
  return `${lines.join("\n")}\n`;
}
