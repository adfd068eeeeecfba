/** The ring as a picture in characters: each place on the circle shows its first live owner. */
import type { RingState } from "../../src/index.ts";

const rows = 11;
const columns = 31;
const marks = "123456789abcdefghijklmnopqrstuvwxyz";
/** Fine enough that every place of the circle is met. */
const steps = 720;

export interface PictureOptions {
  /** The next owner is shown in the place of a node that is away; a dot where all are. */
  readonly isDown?: (node: number) => boolean;
  /** The mark of a node in its colour. */
  readonly paint?: (place: number, mark: string) => string;
}

/** As wide as it is: lines end with spaces, so that something can stand beside them. */
export function ringPicture(state: RingState, options: PictureOptions = {}): readonly string[] {
  const { isDown = () => false, paint = (_place, mark) => mark } = options;
  const grid = Array.from({ length: rows }, () => Array<string>(columns).fill(" "));
  for (let step = 0; step < steps; step++) {
    const angle = (2 * Math.PI * step) / steps;
    const column = Math.round(((columns - 1) / 2) * (1 + Math.sin(angle)));
    const row = Math.round(((rows - 1) / 2) * (1 - Math.cos(angle)));
    const line = grid[row];
    if (line === undefined || line[column] !== " ") continue;
    const partition = Math.floor((step * state.owners.length) / steps);
    const owner = state.owners[partition]?.find((node) => !isDown(node));
    const place = state.members.findIndex(({ id }) => id === owner);
    line[column] = place === -1 ? "·" : paint(place, markOf(place));
  }
  return grid.map((line) => `  ${line.join("")}`);
}

/** One character a node, by its place among the members. */
export function markOf(place: number): string {
  return marks[place % marks.length] ?? "?";
}
