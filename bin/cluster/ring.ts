/** ring: who owns how much, as a picture and in numbers; and ring force. */
import type { Plan, RingState } from "../../src/index.ts";
import { exits, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { table } from "../table.ts";
import { size } from "../units.ts";
import { askNode, withClient } from "./connection.ts";
import type { Changed } from "./membership.ts";
import { planText } from "./plan-text.ts";
import { markOf, ringPicture } from "./ring-picture.ts";

interface Sizes {
  readonly nodes: readonly { readonly node: number; readonly bytes: number }[];
}

export async function ring(invocation: Invocation): Promise<number> {
  const [verb] = invocation.args;
  if (verb === "force") return force(invocation);
  if (verb !== undefined) throw usage(`ring ${verb} is unknown; there is ring force`);
  return withClient(invocation, async (client) => {
    const state = await askNode<RingState>(invocation, client, { name: "ring" });
    const { nodes } = await askNode<Sizes>(invocation, client, { name: "sizes" });
    const bytes = new Map(nodes.map((one) => [one.node, one.bytes]));
    await invocation.output.result({ ...state, sizes: nodes }, ringText(state, bytes));
    return exits.ok;
  });
}

export function ringText(state: RingState, bytes: ReadonlyMap<number, number>): string {
  const present = state.members.filter((member) => member.state !== "left");
  const picture = ringPicture(state).map((line) => `${line.trimEnd()}\n`);
  const rows = present.map(({ id, address, dc, weight }) => {
    const owned = state.owners.filter((owners) => owners.includes(id)).length;
    const first = state.owners.filter((owners) => owners[0] === id).length;
    const mark = markOf(state.members.findIndex((member) => member.id === id));
    const held = bytes.get(id);
    return [
      ...[mark, String(id), address, dc, String(weight), String(owned), String(first)],
      held === undefined ? "-" : size(held),
    ];
  });
  const heads = ["mark", "id", "address", "dc", "weight", "partitions", "first owner of", "bytes"];
  const title = `${state.owners.length} partitions, ${state.n} copies, epoch ${state.epoch}\n`;
  return `${title}${picture.join("")}${table(heads, rows)}${balanceText(state)}`;
}

/** How far the fullest and the emptiest node of each data centre are from their fair share. */
function balanceText({ members, owners }: RingState): string {
  const staying = members.filter((member) => member.state === "member");
  const names = [...new Set(staying.map(({ dc }) => dc))].sort();
  return names
    .map((name) => {
      const inside = staying.filter(({ dc }) => dc === name);
      const owned = inside.map(({ id }) => owners.filter((row) => row.includes(id)).length);
      const weights = inside.reduce((sum, { weight }) => sum + weight, 0);
      const total = owned.reduce((sum, one) => sum + one, 0);
      const loads = owned.map((one, i) => {
        const fair = (total * (inside[i]?.weight ?? 1)) / weights;
        return fair === 0 ? 1 : one / Math.min(fair, owners.length);
      });
      const percent = (value: number): string => `${(100 * value).toFixed(1)}%`;
      const range = `${percent(Math.min(...loads))} to ${percent(Math.max(...loads))}`;
      return `${name}: each node has ${range} of its share\n`;
    })
    .join("");
}

/** What only the lost nodes have is given up, so it has to be said twice. */
async function force(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const text = typeof options["lost"] === "string" ? options["lost"] : "";
  const lost = text.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]));
  if (options["lost"] === undefined) {
    throw usage("ring force goes on without nodes that are lost", "name them: --lost 2,3");
  }
  return withClient(invocation, async (client) => {
    const changes = lost.map((node) => ({ kind: "remove", node }));
    const shown = await askNode<Plan>(invocation, client, { name: "plan", args: { changes } });
    if (!output.json) output.note(planText(shown).trimEnd());
    if (options["yes"] !== true) {
      throw usage(
        "without a majority nothing tells whether the lost nodes live on somewhere; what only " +
          "they have is given up, and they can never come back",
        "if they are gone for good, say it again with --yes, on one surviving node",
      );
    }
    const changed = await askNode<Changed>(invocation, client, {
      name: "ring-force",
      args: { lost },
    });
    const { epoch, generation } = changed;
    const done = `generation ${generation} is in force, from epoch ${epoch} on\n`;
    await output.result(changed, done);
    return exits.ok;
  });
}
