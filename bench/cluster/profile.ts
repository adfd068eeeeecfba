/**
 * Which parts of the code took the time: the samples of a `.cpuprofile` by the file of the function
 * on top. Waiting is left out. Shares are of all that the thread that runs JavaScript did; threads
 * that flush and compact write profiles of their own, which are not looked at.
 */
import { readFileSync } from "node:fs";

export type Role = "client" | "coordinator" | "replica";

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
}

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The first that fits counts. */
const parts: readonly (readonly [part: string, pattern: RegExp])[] = [
  ["ws", /node_modules\/ws\//],
  ["codec", /\/src\/core\/wire\//],
  ["protocol", /\/src\/core\//],
  ["store", /\/src\/store\//],
  ["engine", /\/native-free-engine\//],
  ["runtime", /\/src\/runtime\//],
  ["client", /\/src\/client\//],
  ["benchmark", /\/bench\//],
  ["sockets and streams of Node", /^node:(net|internal\/(stream|streams|js_stream)|stream)/],
  ["the rest of Node", /^node:/],
];

export function breakdownOf(path: string): ReadonlyMap<string, number> {
  return sharesIn(JSON.parse(readFileSync(path, "utf8")) as Profile);
}

/** Shares of the time that was not idle, the largest first. */
export function sharesIn({ nodes, samples, timeDeltas }: Profile): ReadonlyMap<string, number> {
  const partOfNode = new Map(nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]));
  const times = new Map<string, number>();
  let total = 0;
  for (const [i, id] of samples.entries()) {
    const part = partOfNode.get(id) ?? "other";
    if (part === "idle") continue;
    const time = Math.max(0, timeDeltas[i] ?? 0);
    total += time;
    times.set(part, (times.get(part) ?? 0) + time);
  }
  const shares = [...times].map(([part, time]): [string, number] => [part, time / total]);
  return new Map(shares.sort(([, a], [, b]) => b - a));
}

function partOf({ functionName, url }: CallFrame): string {
  if (functionName === "(idle)" || functionName === "(root)") return "idle";
  if (functionName === "(garbage collector)") return "garbage collector";
  // Calls into the system and code of V8 and Node that is not JavaScript.
  if (functionName === "(program)" || url === "") return "native code and system calls";
  return parts.find(([, pattern]) => pattern.test(url))?.[0] ?? "other";
}
