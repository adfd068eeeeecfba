/** What operators ask: status, locate, hints, repair, versions. Each also as JSON. */
import type { DescribedVersions, NodeStatus, Status } from "../../src/index.ts";
import { keyOf } from "../arguments.ts";
import { show } from "../bytes.ts";
import { exits } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { table } from "../table.ts";
import { count, duration, plural } from "../units.ts";
import { timeoutOf, withClient } from "./connection.ts";

/** A repair compares all data, so it may take long. */
const repairMsMax = 60_000;

async function ask<T>(invocation: Invocation, name: string, args: object = {}): Promise<T> {
  const timeoutMs = timeoutOf(invocation);
  return withClient(invocation, async (client) => {
    return (await client.admin(name, args, { timeoutMs })) as T;
  });
}

export async function status(invocation: Invocation): Promise<number> {
  const found = await ask<Status>(invocation, "status");
  await invocation.output.result(contractOf(found), statusText(found));
  return found.underReplicated === 0 ? exits.ok : exits.partial;
}

/** Other programs rely on these fields; what is beyond them is for people. */
function contractOf(found: Status): object {
  const nodes = found.nodes.map(({ id, address, dc, rack, weight, state, live }) => {
    return { id, address, dc, rack, weight, state, live };
  });
  const { timeLeftMs: _left, staged: _staged, ...promised } = found;
  return { ...promised, nodes };
}

export function statusText(found: Status): string {
  const { clusterId, epoch, n, r, w, nodes } = found;
  const live = nodes.filter((node) => node.live).length;
  const head =
    `cluster ${clusterId.slice(0, 8)}  epoch ${epoch}  n=${n} r=${r} w=${w}  ` +
    `${live} of ${plural(nodes.length, "node")} live\n`;
  const owned = nodes.reduce((total, { partitions }) => total + partitions, 0);
  const rows = nodes.map((node) => [
    String(node.id),
    node.address,
    stateOf(node),
    node.dc,
    node.rack,
    String(node.weight),
    owned === 0 ? "-" : `${((100 * node.partitions) / owned).toFixed(1)}%`,
    count(node.hints),
  ]);
  const heads = ["id", "address", "state", "dc", "rack", "weight", "owns", "hints for it"];
  return `${head}${table(heads, rows)}${concerns(found)
    .map((line) => `${line}\n`)
    .join("")}`;
}

function stateOf({ live, state }: NodeStatus): string {
  if (!live) return "DOWN";
  return state === "member" ? "up" : state;
}

function concerns(found: Status): string[] {
  const lines: string[] = [];
  const { underReplicated, hintsPending, rebuilding, rootsAgree, n } = found;
  const { transfers, timeLeftMs, staged } = found;
  if (underReplicated > 0) {
    lines.push(`! ${plural(underReplicated, "partition")} with fewer than ${n} live owners`);
  }
  if (hintsPending > 0) lines.push(`! ${plural(hintsPending, "hint")} wait for their owners`);
  if (transfers > 0) lines.push(`  ${plural(transfers, "partition")} on the way to new owners`);
  if (staged > 0) lines.push(`  ${plural(staged, "change")} staged: kvctl plan shows more`);
  if (rebuilding > 0) {
    const left = timeLeftMs === null ? "" : `, about ${duration(timeLeftMs)} left`;
    lines.push(`  ${plural(rebuilding, "copy", "copies")} still filling${left}`);
  }
  lines.push(rootsAgree ? "  all replicas agree" : "  replicas do not (yet) agree");
  return lines;
}

interface Place {
  readonly id: number;
  readonly address: string;
  readonly live: boolean;
}

interface Located {
  readonly token: string;
  readonly partition: number;
  readonly partitions: number;
  readonly owners: readonly Place[];
  readonly standIns: readonly Place[];
  readonly future: readonly Place[] | null;
}

export async function locate(invocation: Invocation): Promise<number> {
  const found = await ask<Located>(invocation, "locate", keyArguments(invocation));
  const place = ({ id, address, live }: Place): string =>
    `${id} (${address}${live ? "" : ", down"})`;
  const line = (name: string, places: readonly Place[]): string =>
    places.length === 0 ? "" : `${name} ${places.map(place).join(", ")}\n`;
  const text =
    `token ${found.token}…  partition ${found.partition} of ${found.partitions}\n` +
    line("  owners   ", found.owners) +
    line("  moving to", found.future ?? []) +
    line("  stand-ins", found.standIns);
  await invocation.output.result(found, text);
  return exits.ok;
}

interface Hints {
  readonly hints: readonly { holder: number; target: number; keys: number }[];
}

export async function hints(invocation: Invocation): Promise<number> {
  const found = await ask<Hints>(invocation, "hints");
  const rows = found.hints.map(({ holder, target, keys }) => [
    String(holder),
    String(target),
    count(keys),
  ]);
  const text = rows.length === 0 ? "no hints\n" : table(["held by", "for node", "keys"], rows);
  await invocation.output.result(found, text);
  return exits.ok;
}

interface Cleanup {
  readonly nodes: readonly {
    readonly node: number;
    readonly reapable: number;
    readonly tombstones: number;
    readonly rounds: number;
    readonly running: number;
    readonly lastFailure: string;
  }[];
}

export async function cleanup(invocation: Invocation): Promise<number> {
  const found = await ask<Cleanup>(invocation, "cleanup");
  const rows = found.nodes.map(({ node, reapable, tombstones, rounds, running, lastFailure }) => [
    ...[String(node), count(reapable), count(tombstones), count(rounds), count(running)],
    lastFailure === "" ? "-" : lastFailure,
  ]);
  const heads = ["node", "to clean", "tombstones", "rounds led", "running", "last failure"];
  await invocation.output.result(found, table(heads, rows));
  return exits.ok;
}

interface Repaired {
  readonly nodes: readonly { node: number; partitions: number; sent: number; received: number }[];
}

export async function repair(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const patient = { ...invocation, options: { timeout: `${repairMsMax}ms`, ...options } };
  const found = await ask<Repaired>(patient, "repair");
  const rows = found.nodes.map(({ node, partitions, sent, received }) => [
    String(node),
    count(partitions),
    count(sent),
    count(received),
  ]);
  const heads = ["node", "partitions compared", "keys sent", "keys received"];
  await invocation.output.result(found, table(heads, rows));
  return exits.ok;
}

interface Versions {
  readonly partition: number;
  readonly owners: readonly number[];
  readonly replicas: readonly {
    readonly node: number;
    readonly isOwner: boolean;
    readonly standing: string;
    readonly versions: DescribedVersions;
  }[];
}

export async function versions(invocation: Invocation): Promise<number> {
  const found = await ask<Versions>(invocation, "versions", keyArguments(invocation));
  const lines = [`partition ${found.partition}, owners ${found.owners.join(", ")}`];
  for (const { node, isOwner, standing, versions: held } of found.replicas) {
    if (!isOwner && held.siblings.length === 0 && held.vector.length === 0) continue;
    const role = isOwner ? standing : "stand-in";
    lines.push(`node ${node} (${role})  vector ${pairs(held.vector)}${extra(held)}`);
    if (held.isTombstone) lines.push("  deleted");
    for (const { dot, time, bytes, head, expiresAt } of held.siblings) {
      const until = expiresAt === 0 ? "" : `  expires ${new Date(expiresAt).toISOString()}`;
      const value = show(Buffer.from(head, "hex"));
      const cut = bytes > head.length / 2 ? "…" : "";
      const when = new Date(time).toISOString();
      lines.push(`  ${pairs([dot])}  ${when}  ${count(bytes)} B  ${value}${cut}${until}`);
    }
  }
  await invocation.output.result(found, `${lines.join("\n")}\n`);
  return exits.ok;
}

function pairs(events: readonly (readonly [string, number])[]): string {
  return `[${events.map(([actor, counter]) => `${actor}:${counter}`).join(" ")}]`;
}

function extra({ dots }: DescribedVersions): string {
  return dots.length === 0 ? "" : `  and ${pairs(dots)}`;
}

function keyArguments(invocation: Invocation): object {
  const { options } = invocation;
  const bucket = typeof options["bucket"] === "string" ? options["bucket"] : "";
  return { key: Buffer.from(keyOf(invocation)).toString("hex"), bucket };
}
