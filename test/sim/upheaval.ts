/**
 * Changes of the ring among the faults: nodes join, leave, lose their disk and are replaced or
 * removed, and weights change, whether or not those who decide can hear each other.
 */
import type { NodeId } from "../../src/core/ids.ts";
import type { Random } from "../../src/core/random.ts";
import type { Operator } from "./operator.ts";
import { type Kind, pick } from "./trouble.ts";
import type { World } from "./world.ts";

const membersMax = 8;
const membersMin = 4;

export class Upheaval {
  readonly #operator: Operator;

  constructor(operator: Operator) {
    this.#operator = operator;
  }

  get kinds(): readonly Kind[] {
    return [
      { name: "join", everyMs: 4_000, strike: (world, random) => this.#join(world, random) },
      { name: "leave", everyMs: 6_000, strike: (world, random) => this.#leave(world, random) },
      { name: "lose", everyMs: 6_000, strike: (world, random) => this.#lose(world, random) },
      { name: "remove", everyMs: 10_000, strike: (world, random) => this.#remove(world, random) },
      { name: "weight", everyMs: 8_000, strike: (world, random) => this.#weigh(world, random) },
      { name: "abort", everyMs: 15_000, strike: (world, random) => this.#abort(world, random) },
    ];
  }

  async #join(world: World, random: Random): Promise<string> {
    const via = pick(world.serving, random);
    const near = pick(membersOf(world), random);
    const { waiting } = this.#operator;
    if (waiting !== undefined) return this.#operator.letIn(world, waiting, via);
    if (membersOf(world).length >= membersMax || near === undefined) return "";
    const dc = world.ring.members.find(({ id }) => id === near)?.dc ?? "dc1";
    return this.#operator.letIn(world, this.#operator.newPlace(dc), via);
  }

  async #leave(world: World, random: Random): Promise<string> {
    const [node, via] = [pick(membersOf(world), random), pick(world.serving, random)];
    if (membersOf(world).length <= membersMin || node === undefined) return "";
    return this.#operator.command(world, via, "leave", { node });
  }

  /** Whoever is gone with its disk and is not replaced. */
  async #remove(world: World, random: Random): Promise<string> {
    const gone = membersOf(world).filter((id) => !world.ids.includes(id));
    const [node, via] = [pick(gone, random), pick(world.serving, random)];
    if (node === undefined || membersOf(world).length <= membersMin) return "";
    return this.#operator.command(world, via, "remove", { node });
  }

  async #weigh(world: World, random: Random): Promise<string> {
    const [node, via] = [pick(membersOf(world), random), pick(world.serving, random)];
    return this.#operator.command(world, via, "weight", { node, weight: 1 + random.below(3) });
  }

  async #abort(world: World, random: Random): Promise<string> {
    return this.#operator.command(world, pick(world.serving, random), "abort", {});
  }

  #lose(world: World, random: Random): Promise<string> | string {
    const node = pick(world.serving, random);
    const { atlas } = this.#operator;
    if (node === undefined || !atlas.mayDestroy(world, node)) return "";
    atlas.destroyed();
    this.#operator.replace(world, node);
    return `node ${node} is lost with its disk`;
  }
}

function membersOf(world: World): readonly NodeId[] {
  return world.ring.members.filter(({ state }) => state === "member").map(({ id }) => id);
}
