/**
 * The demo's moving picture: the ring with a mark for each node, and counters beside it. Drawn only
 * on a terminal, below the lines of the story, and taken away before each new line.
 */
import type { RingState, Status } from "../../../src/index.ts";
import { markOf, ringPicture } from "../../cluster/ring-picture.ts";
import type { Output } from "../../output.ts";
import { bar } from "../../progress.ts";
import { count } from "../../units.ts";
import type { Tally } from "./load.ts";

/** All that the picture shows; whoever acts writes into it. */
export interface Scene {
  act: string;
  /** 0 to 1; undefined where nobody knows the end. */
  share: (() => number) | undefined;
  /** Of the act, and of those before it. */
  tally: Tally;
  earlier: { readonly writes: number; readonly reads: number };
  ring: RingState | undefined;
  status: Status | undefined;
}

const redrawMs = 100;
const barWidth = 24;

export function showScene(output: Output, scene: Scene): { stop(): void } {
  if (!output.canRedraw || output.json) return { stop: () => {} };
  const timer = setInterval(() => output.draw(pictureOf(scene)), redrawMs);
  return {
    stop: () => {
      clearInterval(timer);
      output.draw([]);
    },
  };
}

export function pictureOf(scene: Scene): readonly string[] {
  const { ring, status } = scene;
  const isDown = (id: number): boolean => {
    return status?.nodes.find((node) => node.id === id)?.live === false;
  };
  const left = ring === undefined ? [] : ringPicture(ring, { isDown, paint });
  const right = panelOf(scene);
  const rows = Math.max(left.length, right.length);
  return Array.from({ length: rows }, (_, i) => `${left[i] ?? ""}   ${right[i] ?? ""}`);
}

function panelOf({ act, share, tally, earlier, ring, status }: Scene): readonly string[] {
  const { writes, reads, errors, wrong } = tally;
  const nodes = (status?.nodes ?? []).map((node) => {
    const place = ring?.members.findIndex(({ id }) => id === node.id) ?? 0;
    const state = node.live ? "up  " : "DOWN";
    const hints = node.hints === 0 ? "" : `  ${count(node.hints)} hints wait for it`;
    return `  ${paint(place, markOf(place))}  ${node.address.padEnd(16)} ${state}${hints}`;
  });
  const agree = status?.rootsAgree === true ? "replicas agree" : "replicas differ";
  return [
    act,
    share === undefined ? "" : bar(share(), barWidth),
    ...nodes,
    "",
    `  writes ${count(earlier.writes + writes).padStart(9)}    errors ${count(errors)}`,
    `  reads  ${count(earlier.reads + reads).padStart(9)}    wrong  ${count(wrong)}`,
    `  hints  ${count(status?.hintsPending ?? 0).padStart(9)}    ${agree}`,
  ];
}

/** A colour a node, where colours are wanted at all. */
function paint(place: number, mark: string): string {
  if (process.env["NO_COLOR"]) return mark;
  return `\u001b[${colors[place % colors.length]}m${mark}\u001b[0m`;
}

/** Cyan, yellow, magenta, green, blue, red: three neighbours are told apart by most eyes. */
const colors = [36, 33, 35, 32, 34, 31];
