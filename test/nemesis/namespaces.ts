/**
 * A network of our own: a namespace with a bridge (the hub), in which the run itself happens, and
 * one namespace for each node. Nothing of it is seen outside. A route can be turned into a black
 * hole, and then packets vanish without a word, as behind a broken switch.
 */
import { command } from "./commands.ts";
import type { Place } from "./links.ts";
import type { WhoDials } from "./proxy.ts";
import type { Undoing } from "./undoing.ts";

const network = "10.123.0";
export const hubHost = `${network}.254`;

export interface Hub {
  readonly name: string;
  addNode(place: Place): void;
  hostOf(place: Place): string;
  /** What a program has to be prefixed with to run where that node does. */
  enter(place: Place): readonly string[];
  /** From now on nothing that it sends arrives (`mute`), or nothing that is sent to it (`deaf`). */
  lose(place: Place, what: "mute" | "deaf"): void;
  find(place: Place): void;
  isLost(place: Place): boolean;
  readonly whoDials: WhoDials;
}

/** Makes it, or with `isThere` uses the one that a parent process has made. */
export function openHub(name: string, undoing: Undoing, isThere = false): Hub {
  const inHub = (...args: readonly string[]): string => command("ip", "-n", name, ...args);
  const nameOf = (place: Place): string => `${name}-${place}`;
  const hostOf = (place: Place): string => `${network}.${place}`;
  if (!isThere) {
    addNamespace(name, undoing);
    inHub("link", "add", "bridge", "type", "bridge");
    inHub("addr", "add", `${hubHost}/24`, "dev", "bridge");
    inHub("link", "set", "bridge", "up");
  }
  const holes = new Map<Place, (() => void)[]>();
  const hole = (place: Place, { of, to }: { readonly of: string; readonly to: string }): void => {
    command("ip", "-n", of, "route", "replace", "blackhole", `${to}/32`);
    const close = (): void => void command("ip", "-n", of, "route", "del", "blackhole", `${to}/32`);
    holes.set(place, [...(holes.get(place) ?? []), close]);
  };
  return {
    name,
    hostOf,
    addNode: (place) => {
      const node = nameOf(place);
      addNamespace(node, undoing);
      inHub("link", "add", `v${place}`, "type", "veth", "peer", "name", "eth0", "netns", node);
      inHub("link", "set", `v${place}`, "master", "bridge", "up");
      command("ip", "-n", node, "addr", "add", `${hostOf(place)}/24`, "dev", "eth0");
      command("ip", "-n", node, "link", "set", "eth0", "up");
    },
    enter: (place) => ["nsenter", `--net=/run/netns/${nameOf(place)}`, "--"],
    lose: (place, what) => {
      if (what === "mute") hole(place, { of: nameOf(place), to: hubHost });
      else hole(place, { of: name, to: hostOf(place) });
    },
    find: (place) => {
      for (const close of holes.get(place) ?? []) close();
      holes.delete(place);
    },
    isLost: (place) => holes.has(place),
    whoDials: ({ host }) => (host === hubHost ? 0 : Number(host.split(".").at(-1))),
  };
}

function addNamespace(name: string, undoing: Undoing): void {
  command("ip", "netns", "add", name);
  undoing.add(`removing the namespace ${name}`, () => {
    command("ip", "netns", "del", name);
  });
  command("ip", "-n", name, "link", "set", "lo", "up");
}
