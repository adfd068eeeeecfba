/**
 * Who looks after a world: starts what is down, lets nodes in for those that are lost, and takes up
 * again what failed half-way until it is done.
 */
import type { NodeId } from "../../src/core/ids.ts";
import { votersOf } from "../../src/core/members/proposer.ts";
import type { Member } from "../../src/core/ring/ring-state.ts";
import { Atlas } from "./atlas.ts";
import type { World } from "./world.ts";

type Place = Pick<Member, "address" | "dc">;

const patienceMs = 2_000;
const restMsMax = 600_000;

export class Operator {
  readonly atlas: Atlas;
  /** Where nodes stand that asked to be let in at these addresses, and have no answer. */
  readonly #asking = new Map<string, string>();
  #joined = 0;

  constructor(atlas = new Atlas({ isBeyond: false })) {
    this.atlas = atlas;
  }

  /** One that asked in vain; it goes before any new one. */
  get waiting(): Place | undefined {
    for (const [address, dc] of this.#asking) return { address, dc };
    return undefined;
  }

  newPlace(dc: string): Place {
    this.#joined += 1;
    return { address: `late-${this.#joined}:7400`, dc };
  }

  async letIn(world: World, { address, dc }: Place, via: NodeId | undefined): Promise<string> {
    if (via === undefined) return "";
    this.#asking.set(address, dc);
    try {
      const id = await world.join(via, { address, dc }, patienceMs);
      this.#asking.delete(address);
      return `node ${id} joins at ${address} through ${via}`;
    } catch (error) {
      return `${address} is not let in through ${via}: ${reasonOf(error)}`;
    }
  }

  /** A machine is gone with its disk: another one will ask to be let in at its address. */
  replace(world: World, node: NodeId): void {
    const member = world.ring.members.find(({ id }) => id === node);
    world.forget(node);
    this.atlas.damaged.delete(node);
    if (member !== undefined && member.state !== "left") {
      this.#asking.set(member.address, member.dc);
    }
  }

  /** A node with a damaged disk may refuse to start; then it is replaced. */
  async start(world: World, node: NodeId): Promise<string> {
    try {
      await world.restart(node);
      return `node ${node} starts`;
    } catch (error) {
      if (!this.atlas.damaged.has(node)) throw error;
      this.replace(world, node);
      return `node ${node} does not start: ${reasonOf(error)}`;
    }
  }

  async command(
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
      return `${what}: ${reasonOf(error)}`;
    }
  }

  /** To be called once everything else is mended: false when the ring does not come to rest. */
  async finish(world: World): Promise<boolean> {
    for (const node of this.atlas.damaged) this.replace(world, node);
    await this.#forceIfNoMajority(world);
    await this.#letAllIn(world);
    for (const { id, state } of world.ring.members) {
      if (state === "left" || world.ids.includes(id)) continue;
      try {
        await world.admin(world.serving[0] ?? 1, "remove", { node: id });
      } catch (error) {
        // Who forgot its promises votes again once all others have promised it something.
        if (!this.atlas.isBeyond || !reasonOf(error).includes("QUORUM_UNAVAILABLE")) throw error;
        await this.#force(world);
        break;
      }
    }
    await this.#letAllIn(world);
    return world.runUntilCalm(() => world.isAtRest && this.#asking.size === 0, restMsMax);
  }

  async #letAllIn(world: World): Promise<void> {
    for (let i = 0; i < 40 && this.#asking.size > 0; i++) {
      for (const [address, dc] of [...this.#asking]) {
        await this.letIn(world, { address, dc }, world.serving[i % world.serving.length]);
      }
      await world.run(1_000);
    }
  }

  /** Where so many disks are lost that the others cannot agree. */
  async #forceIfNoMajority(world: World): Promise<void> {
    const voters = votersOf(world.ring);
    const lost = voters.filter((id) => !world.ids.includes(id));
    if (2 * lost.length >= voters.length) await this.#force(world);
  }

  /** Says who is lost for good, at a node that takes it: one that forgot its votes, or any. */
  async #force(world: World): Promise<void> {
    const lost = votersOf(world.ring).filter((id) => !world.ids.includes(id));
    const refusals: string[] = [];
    for (const via of world.serving) {
      try {
        await world.admin(via, "ring-force", { lost });
        return;
      } catch (error) {
        refusals.push(reasonOf(error));
      }
    }
    throw new Error(`nobody takes a forced ring: ${refusals.join("; ")}`);
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
