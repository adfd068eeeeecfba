/**
 * Watches a world from outside: what is sent, whom each node does not expect an answer from, when
 * each had which epoch in force, and whom a piece of gossip has reached.
 */
import type { Effect } from "../../../src/core/event.ts";
import type { NodeId } from "../../../src/core/ids.ts";
import type { Message } from "../../../src/core/message.ts";
import type { World } from "../world.ts";
import { Traffic } from "./traffic.ts";

/** What requests have stores do, for owners and in their place. */
const worksOnKeys: ReadonlySet<string> = new Set(["read", "write", "merge", "keep-hints"]);

export class Observer {
  readonly traffic = new Traffic();
  /** By node: whom it would send no request to. */
  readonly down = new Map<NodeId, ReadonlySet<NodeId>>();
  /** Of how many it is so, over all nodes. */
  absences = 0;
  /** Which epoch took force, where and when. */
  readonly installs: { readonly node: NodeId; readonly epoch: number; readonly at: number }[] = [];
  /** How often a node began to take another for absent. */
  suspicions = 0;
  /** Pieces of work on keys that each node did. */
  readonly works = new Map<NodeId, number>();
  readonly #world: World;
  #rumour: { readonly of: NodeId; readonly about: NodeId; readonly heard: Set<NodeId> } | undefined;

  constructor(world: World) {
    this.#world = world;
    world.beforeEffect = (node, effect) => this.#see(node, effect);
  }

  /** From now on: who is told that `of` suspects `about`. */
  follow(of: NodeId, about: NodeId): ReadonlySet<NodeId> {
    const heard = new Set([of]);
    this.#rumour = { of, about, heard };
    return heard;
  }

  #see(node: NodeId, effect: Effect): void {
    if (effect.kind === "send") {
      this.traffic.sent(node, effect.to, effect.message);
      this.#hear(node, effect.to, effect.message);
    } else if (effect.kind === "down") {
      const before = this.down.get(node);
      this.suspicions += effect.nodes.filter((one) => before?.has(one) !== true).length;
      this.absences += effect.nodes.length - (before?.size ?? 0);
      this.down.set(node, new Set(effect.nodes));
    } else if (effect.kind === "ring") {
      const { epoch } = effect.state;
      this.installs.push({ node, epoch, at: this.#world.timeline.now });
    } else if (effect.kind === "store") {
      const { kind } = effect.work;
      if (!worksOnKeys.has(kind)) return;
      this.works.set(node, (this.works.get(node) ?? 0) + 1);
    }
  }

  /** Told is as good as heard, where nothing is lost. */
  #hear(from: NodeId, to: NodeId, message: Message): void {
    const rumour = this.#rumour;
    if (rumour === undefined || this.#world.network.isCut(from, to)) return;
    if (message.kind !== "gossip" && message.kind !== "gossip-reply") return;
    const isTold = message.heartbeats.some(({ node, suspects }) => {
      return node === rumour.of && suspects.includes(rumour.about);
    });
    if (isTold) rumour.heard.add(to);
  }
}
