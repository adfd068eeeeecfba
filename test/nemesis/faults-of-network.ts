/** Links that are cut, slow, dead or spoilt, and packets that vanish. */
import type { Random } from "../../src/core/random.ts";
import type { Kind, Scene } from "./kind.ts";
import { calm, clients, type Link, linksBetween, type Place } from "./links.ts";
import { between, pick } from "./schedule.ts";

/** Two sides, or one way only, or all but one in between, or one alone. */
export const cut: Kind = {
  name: "cut",
  everyMs: 8_000,
  needs: ["links"],
  strike: (scene, random) => {
    const ms = between(random, 500, 6_000);
    const reset = random.below(2) === 0;
    const { links, what } = someCut(placesOf(scene), random);
    if (links.length === 0) return "";
    scene.cluster.links.cut(links);
    scene.mending.later(ms, () => scene.cluster.links.mend(links, { reset }));
    return `${what} for ${ms} ms, and then connections ${reset ? "break" : "go on"}`;
  },
};

function someCut(
  places: readonly Place[],
  random: Random,
): { readonly links: readonly Link[]; readonly what: string } {
  const shape = random.below(4);
  const left = places.filter(() => random.below(2) === 0);
  const right = places.filter((place) => !left.includes(place));
  const lone = pick(places, random) ?? 0;
  const bridge = pick(
    places.filter((place) => place !== clients),
    random,
  );
  const both = (a: readonly Place[], b: readonly Place[]): Link[] => [
    ...linksBetween(a, b),
    ...linksBetween(b, a),
  ];
  const name = (side: readonly Place[]): string => side.map((at) => at || "clients").join(" ");
  if (shape === 0) {
    return { links: linksBetween(left, right), what: `${name(left)} unheard by ${name(right)}` };
  }
  if (shape === 1) {
    const others = places.filter((place) => place !== lone);
    return { links: both([lone], others), what: `${name([lone])} alone` };
  }
  const sides = [left, right].map((side) => side.filter((at) => shape === 2 || at !== bridge));
  const [here = [], there = []] = sides;
  const over = shape === 3 ? ` but for ${bridge}` : "";
  return { links: both(here, there), what: `${name(here)} and ${name(there)} apart${over}` };
}

export const weather: Kind = {
  name: "weather",
  everyMs: 8_000,
  needs: ["links"],
  strike: (scene, random) => {
    const ms = between(random, 1_000, 5_000);
    const links = someLinks(scene, random);
    const isNarrow = random.below(3) === 0;
    const delayMs = between(random, 1, 150);
    const jitterMs = between(random, 0, 150);
    const bytesPerSecond = isNarrow ? between(random, 10_000, 300_000) : calm.bytesPerSecond;
    scene.cluster.links.setWeather(links, { ...calm, delayMs, jitterMs, bytesPerSecond });
    scene.mending.later(ms, () => scene.cluster.links.clear(links));
    const rate = isNarrow ? `, ${bytesPerSecond} bytes a second` : "";
    return `${links.length} links take ${delayMs} to ${delayMs + jitterMs} ms${rate}, for ${ms} ms`;
  },
};

/** A dead connection that nobody closes: each side only hears nothing any more. */
export const halfOpen: Kind = {
  name: "half-open",
  everyMs: 9_000,
  needs: ["links"],
  strike: (scene, random) => {
    const link = pick(allLinks(scene), random);
    const muted = link === undefined ? 0 : scene.cluster.links.mute(link);
    if (link === undefined || muted === 0) return "";
    return `${muted} connections from ${link.from} to ${link.to} die unnoticed`;
  },
};

/** Only with TLS: plain frames trust TCP with this. */
export const corruption: Kind = {
  name: "corruption",
  everyMs: 12_000,
  needs: ["links"],
  strike: (scene, random) => {
    const ms = between(random, 500, 3_000);
    const links = someLinks(scene, random);
    const corruptOneIn = between(random, 1, 20);
    if (!scene.isClosed) return "";
    scene.cluster.links.setWeather(links, { ...calm, corruptOneIn });
    scene.mending.later(ms, () => scene.cluster.links.clear(links));
    return `one piece in ${corruptOneIn} is spoilt on ${links.length} links, for ${ms} ms`;
  },
};

/** The kernel itself drops what it should carry, and no connection hears of it. */
export const vanish: Kind = {
  name: "vanish",
  everyMs: 10_000,
  needs: ["namespaces"],
  strike: ({ hub, cluster, mending }, random) => {
    const ms = between(random, 500, 6_000);
    const choice = random.below(3);
    const node = pick(cluster.live, random);
    if (hub === undefined || node === undefined || hub.isLost(node.place)) return "";
    const { place } = node;
    if (choice !== 1) hub.lose(place, "mute");
    if (choice !== 2) hub.lose(place, "deaf");
    mending.later(ms, () => hub.find(place));
    const how = ["neither heard nor hearing", "deaf", "mute"][choice];
    return `node ${place} is ${how} for ${ms} ms`;
  },
};

function placesOf({ cluster }: Scene): readonly Place[] {
  return [clients, ...cluster.present.map(({ place }) => place)];
}

function allLinks(scene: Scene): readonly Link[] {
  const places = placesOf(scene);
  return linksBetween(places, places).filter(({ from, to }) => from !== to && to !== clients);
}

function someLinks(scene: Scene, random: Random): readonly Link[] {
  const places = placesOf(scene);
  const oneIn = 1 + random.below(3);
  return linksBetween(places, places).filter(() => random.below(oneIn) === 0);
}
