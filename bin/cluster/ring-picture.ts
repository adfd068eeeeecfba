/** The ring as a picture in characters: each place on the circle shows its first owner. */
import type { RingState } from "../../src/index.ts";

const rows = 11;
const columns = 31;
const marks = "123456789abcdefghijklmnopqrstuvwxyz";

/** `isDown` draws the places of a node that is away as dots. */
export function ringPicture(
  state: RingState,
  isDown: (node: number) => boolean = () => false,
): string {
  const grid = Array.from({ length: rows }, () => Array<string>(columns).fill(" "));
  const places = 64;
  for (let i = 0; i < places; i++) {
    const angle = (2 * Math.PI * i) / places;
    const column = Math.round((columns - 1) / 2 + ((columns - 1) / 2) * Math.sin(angle));
    const row = Math.round((rows - 1) / 2 - ((rows - 1) / 2) * Math.cos(angle));
    const partition = Math.floor((i * state.owners.length) / places);
    const owner = state.owners[partition]?.find((node) => !isDown(node));
    const line = grid[row];
    if (line !== undefined) line[column] = owner === undefined ? "·" : markOf(state, owner);
  }
  return grid.map((line) => `  ${line.join("").trimEnd()}\n`).join("");
}

/** One character a node, by its place among the members. */
function markOf(state: RingState, node: number): string {
  const index = state.members.findIndex(({ id }) => id === node);
  return marks[index % marks.length] ?? "?";
}
