/**
 * Changes of the ring among the faults: nodes join, leave, lose their disk and are replaced, and
 * weights change, whether or not those who decide can hear each other. What fails half-way is taken
 * up again until it is done, as an operator would.
 */
import type { NodeId } from "../../src/core/ids.ts";
import type { Random } from "../../src/core/random.ts";
import type { Member } from "../../src/core/ring/ring-state.ts";
import type { Kind } from "./trouble.ts";
import type { World } from "./world.ts";

const membersMax = 8;
const membersMin = 4;
const patienceMs = 2_000;

export class Upheaval {
  /** Where nodes stand that asked to be let in at these addresses, and have no answer. */
  readonly #asking = new Map<string, string>();
  #joined = 0;
  #hasLostOne = false;

  get kinds(): readonly Kind[] {
    return [
      { name: "join", everyMs: 4_000, strike: (world, random) => this.#join(world, random) },
      { name: "leave", everyMs: 6_000, strike: (world, random) => this.#leave(world, random) },
      { name: "lose", everyMs: 6_000, strike: (world, random) => this.#lose(world, random) },
      { name: "weight", everyMs: 8_000, strike: (world, random) => this.#weigh(world, random) },
      { name: "abort", everyMs: 15_000, strike: (world, random) => this.#abort(world, random) },
    ];
  }

  /** To be called once everything else is mended: false when the ring does not come to rest. */
  async finish(world: World): Promise<boolean> {
    for (let i = 0; i < 40 && this.#asking.size > 0; i++) {
      for (const [address, dc] of [...this.#asking]) {
        await this.#letIn(world, { address, dc }, world.serving[i % world.serving.length]);
      }
      await world.run(1_000);
    }
    for (const { id, state } of world.ring.members) {
      if (state === "left" || world.ids.includes(id)) continue;
      await world.admin(world.serving[0] ?? 1, "remove", { node: id });
    }
    return world.runUntil(() => world.isAtRest && this.#asking.size === 0, 600_000);
  }

  async #join(world: World, random: Random): Promise<string> {
    const via = anyOf(world.serving, random);
    const near = anyOf(world.ring.members, random);
    const [waiting] = this.#asking;
    if (waiting !== undefined) {
      const [address, dc] = waiting;
      return this.#letIn(world, { address, dc }, via);
    }
    if (membersOf(world).length >= membersMax || near === undefined) return "";
    return this.#letIn(world, { address: `late-${++this.#joined}:7400`, dc: near.dc }, via);
  }

  async #letIn(
    world: World,
    { address, dc }: Pick<Member, "address" | "dc">,
    via: NodeId | undefined,
  ): Promise<string> {
    if (via === undefined) return "";
    this.#asking.set(address, dc);
    try {
      const id = await world.join(via, { address, dc }, patienceMs);
      this.#asking.delete(address);
      return `node ${id} joins at ${address} through ${via}`;
    } catch (error) {
      return `${address} is not let in through ${via}: ${reason(error)}`;
    }
  }

  #leave(world: World, random: Random): Promise<string> {
    const [node, via] = [anyOf(membersOf(world), random), anyOf(world.serving, random)];
    if (membersOf(world).length <= membersMin || node === undefined) return nothing;
    return command(world, via, "leave", { node });
  }

  #weigh(world: World, random: Random): Promise<string> {
    const [node, via] = [anyOf(membersOf(world), random), anyOf(world.serving, random)];
    return command(world, via, "weight", { node, weight: 1 + random.below(3) });
  }

  #abort(world: World, random: Random): Promise<string> {
    return command(world, anyOf(world.serving, random), "abort", {});
  }

  /** One disk a run is lost, when every copy is where it should be: two copies survive one. */
  async #lose(world: World, random: Random): Promise<string> {
    const node = anyOf(world.serving, random);
    const isWhole = world.startable.length === 0 && world.isFilled;
    if (this.#hasLostOne || !isWhole || node === undefined || world.ring.moves.length > 0)
      return "";
    this.#hasLostOne = true;
    const member = world.ring.members.find(({ id }) => id === node);
    world.forget(node);
    if (member !== undefined) this.#asking.set(member.address, member.dc);
    return `node ${node} is lost with its disk`;
  }
}

const nothing = Promise.resolve("");

async function command(
  world: World,
  via: NodeId | undefined,
  name: string,
  given: object,
): Promise<string> {
  if (via === undefined) return "";
  const what = `${name} ${JSON.stringify(given)} at node ${via}`;
  try {
    await world.admin(via, name, given, patienceMs);
    return what;
  } catch (error) {
    return `${what}: ${reason(error)}`;
  }
}

function membersOf(world: World): readonly NodeId[] {
  return world.ring.members.filter(({ state }) => state === "member").map(({ id }) => id);
}

function anyOf<T>(from: readonly T[], random: Random): T | undefined {
  const at = random.below(1 << 20);
  return from.length === 0 ? undefined : from[at % from.length];
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
