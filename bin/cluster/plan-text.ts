/** A plan as people read it: what changes, what moves for it, and who holds how much after it. */
import type { Plan } from "../../src/index.ts";
import { table } from "../table.ts";
import { plural, size } from "../units.ts";

export function planText(plan: Plan): string {
  const { id, epoch, changes, moves, copies, copiesMin, bytes, balance, warnings } = plan;
  const addresses = new Map(balance.map(({ node, address }) => [node, address]));
  const named = (node: number): string => `node ${node} (${addresses.get(node) ?? "gone"})`;
  const lines = changes.map((change) => {
    if (change.kind === "weight") return `  ${named(change.node)} gets weight ${change.weight}`;
    if (change.kind === "leave") return `  ${named(change.node)} leaves`;
    if (change.kind === "remove") return `  ${named(change.node)} is struck out`;
    const { node, replaces } = change;
    const how = replaces === undefined ? "joins" : `takes the place of node ${replaces}`;
    return `  ${named(node)} ${how}`;
  });
  const about = bytes === null ? "" : `, about ${size(bytes)}`;
  const coming = moves.filter(({ from, to }) => to.some((node) => !from.includes(node))).length;
  const moved =
    copies === 0
      ? "nothing moves"
      : `${plural(copies, "copy", "copies")} of ${plural(coming, "partition")} move` +
        ` (no plan could do with fewer than ${copiesMin})${about}`;
  const rows = balance.map(({ node, address, dc, weight, state, before, after }) => [
    ...[String(node), address, dc, String(weight), state],
    ...[String(before), String(after), signed(after - before)],
  ]);
  const heads = ["id", "address", "dc", "weight", "state", "owns", "will own", "change"];
  return [
    `plan ${id} at epoch ${epoch}\n`,
    ...lines.map((line) => `${line}\n`),
    `${moved}\n`,
    table(heads, rows),
    ...warnings.map((warning) => `! ${warning}\n`),
  ].join("");
}

function signed(value: number): string {
  if (value === 0) return "-";
  return value > 0 ? `+${value}` : String(value);
}
