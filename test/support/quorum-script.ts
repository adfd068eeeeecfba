/**
 * Replays a protocol script: a page whose upper half says what is done to a few nodes and whose
 * lower half says everything that happens, line by line. The words are listed in `actions`.
 */
import { emptyContext } from "../../src/core/clock/versions.ts";
import type { Standing } from "../../src/core/message.ts";
import { keyNamed, QuorumWorld, type WorldOptions } from "./quorum-world.ts";

type Words = readonly string[];

/** The whole log for the upper half of a script. */
export function replay(input: string): string {
  const lines = input.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const [head = "", ...rest] = lines;
  const world = new QuorumWorld(optionsOf(head));
  for (const line of rest) {
    world.log.push(`${line}:`);
    const [verb = "", ...words] = line.split(" ");
    const action = actions[verb];
    if (action === undefined) throw new Error(`no action ${verb} in "${line}"`);
    const before = world.log.length;
    action(world, words);
    world.settle();
    for (let at = before; at < world.log.length; at++) world.log[at] = `  ${world.log[at]}`;
    if (before === world.log.length) world.log.pop();
  }
  return `${world.log.join("\n")}\n`;
}

const actions: Readonly<Record<string, (world: QuorumWorld, words: Words) => void>> = {
  /** put n1 cart milk [w=2] [strict] [seen] [again]: seen takes the context of the last answer. */
  put(world, [node, key = "", value = "", ...flags]) {
    write(world, { node, key, value, flags });
  },
  delete(world, [node, key = "", ...flags]) {
    write(world, { node, key, value: undefined, flags });
  },
  get(world, [node, key = "", ...flags]) {
    const { strict, deadlineMs, numbers } = optionsIn(flags);
    const more = { r: numbers["r"], strict, deadlineMs };
    world.request(id(node), world.get(keyNamed(key), more));
  },
  down: (world, nodes) => {
    for (const node of nodes) world.down(id(node));
  },
  up: (world, nodes) => {
    for (const node of nodes) world.up(id(node));
  },
  /** thinks n1 n2 dead|live */
  thinks(world, [node, other, state]) {
    const { dead } = world.node(id(node));
    if (state === "dead") dead.add(id(other));
    else dead.delete(id(other));
  },
  /** lose|hold|open n1 > n2 */
  lose: (world, [from, , to]) => world.link(id(from), id(to), "lost"),
  hold: (world, [from, , to]) => world.link(id(from), id(to), "held"),
  open: (world, [from, , to]) => world.link(id(from), id(to), "open"),
  wait: (world, [ms]) => world.wait(Number(ms)),
  /** disk n1 stops|resumes|fails CODE|works|is-full-of-hints */
  disk(world, [node, what, code]) {
    const { store } = world.node(id(node));
    if (what === "is-full-of-hints") store.isFullOfHints = true;
    else if (what === "stops") store.isStopped = true;
    else if (what === "resumes") store.resume();
    else store.failure = what === "fails" ? code : undefined;
  },
  standing(world, [node, standing]) {
    world.node(id(node)).standing = standing as Standing;
  },
  latency(world, [node, other, ms]) {
    world.node(id(node)).latencies.set(id(other), Number(ms));
  },
};

function write(
  world: QuorumWorld,
  wish: { node: string | undefined; key: string; value: string | undefined; flags: Words },
): void {
  const { strict, deadlineMs, numbers, isSeen } = optionsIn(wish.flags);
  const last = world.results.at(-1);
  const context = isSeen && last !== undefined && "context" in last ? last.context : emptyContext;
  const more = { w: numbers["w"], strict, deadlineMs, context };
  world.request(id(wish.node), world.put(keyNamed(wish.key), wish.value, more));
}

function optionsIn(flags: Words) {
  const numbers: Record<string, number | undefined> = numbersIn(flags);
  const deadlineMs = numbers["deadline"] ?? 5_000;
  return { strict: flags.includes("strict"), isSeen: flags.includes("seen"), deadlineMs, numbers };
}

/** nodes=4 n=3 r=2 w=2 owners=n1,n2,n3 [future=n2,n3,n4] [away=n4]: in a second data centre. */
function optionsOf(line: string): WorldOptions {
  const { nodes = 3, n = 3, r = 2, w = 2 } = numbersIn(line.split(" "));
  const owners = listIn(line, "owners") ?? [];
  const future = listIn(line, "future");
  const away = listIn(line, "away") ?? [];
  return { nodes, n, r, w, owners, away, ...(future === undefined ? {} : { future }) };
}

function numbersIn(words: Words): Record<string, number> {
  const pairs = words.map((word) => word.split("=")).filter((pair) => pair.length === 2);
  return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
}

function listIn(line: string, name: string): number[] | undefined {
  const found = new RegExp(`${name}=(\\S+)`).exec(line)?.[1];
  return found?.split(",").map(id);
}

function id(node: string | undefined): number {
  const found = /^n(\d+)$/.exec(node ?? "")?.[1];
  if (found === undefined) throw new Error(`${node} is no node`);
  return Number(found);
}
