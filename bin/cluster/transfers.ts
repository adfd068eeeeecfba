/** transfers: partitions on the way to their owners. */
import { exits } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { table } from "../table.ts";
import { count, duration, plural, size } from "../units.ts";
import { askNode, withClient } from "./connection.ts";

interface Transfer {
  readonly partition: number;
  readonly source?: number;
  readonly target: number;
  readonly phase: "waiting" | "streaming" | "verifying";
  readonly keysDone: number;
  readonly keysTotal?: number;
  readonly bytesDone: number;
  readonly etaMs?: number;
}

interface Transfers {
  readonly moves: number;
  readonly timeLeftMs: number | null;
  readonly transfers: readonly Transfer[];
}

const rowsMax = 20;

export async function transfers(invocation: Invocation): Promise<number> {
  const found = await withClient(invocation, (client) => {
    return askNode<Transfers>(invocation, client, { name: "transfers" });
  });
  await invocation.output.result(found, transfersText(found));
  return exits.ok;
}

export function transfersText({ moves, timeLeftMs, transfers: all }: Transfers): string {
  if (all.length === 0) {
    return moves === 0
      ? "nothing is on the way\n"
      : `${plural(moves, "partition")} about to switch\n`;
  }
  const of = (wanted: Transfer["phase"]) => all.filter(({ phase }) => phase === wanted);
  const begun = [...of("streaming"), ...of("verifying")];
  const waiting = all.length - begun.length;
  const rows = begun
    .slice(0, rowsMax)
    .map((one) => [
      ...[String(one.partition), String(one.source ?? "-"), String(one.target), one.phase],
      one.keysTotal === undefined ? count(one.keysDone) : ratio(one.keysDone, one.keysTotal),
      size(one.bytesDone),
      one.etaMs === undefined ? "-" : duration(one.etaMs),
    ]);
  const heads = ["partition", "from", "to", "phase", "keys", "bytes", "left"];
  const more = begun.length - rows.length;
  const bytes = all.reduce((sum, { bytesDone }) => sum + bytesDone, 0);
  const left = timeLeftMs === null ? "" : `, about ${duration(timeLeftMs)} left`;
  const head =
    `${plural(all.length, "copy", "copies")} on the way, ${count(waiting)} of them waiting; ` +
    `${size(bytes)} so far${left}\n`;
  const tail = more > 0 ? `… and ${count(more)} more\n` : "";
  return `${head}${rows.length === 0 ? "" : table(heads, rows)}${tail}`;
}

function ratio(done: number, total: number): string {
  return `${count(done)} of ${count(total)}`;
}
