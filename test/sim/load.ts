/** Clients that act on a world for a while, each as fast as it is answered. */
import { seededRandom } from "../../src/core/random.ts";
import type { WriteSeen } from "./checks.ts";
import { type ClientOptions, SimClient } from "./workload.ts";
import type { World } from "./world.ts";

export interface LoadOptions extends Partial<Omit<ClientOptions, "world" | "random">> {
  readonly keys: readonly string[];
  readonly seed: number;
  readonly ms: number;
  /** From one step to the next, at most twice so long. */
  readonly pauseMs?: number;
}

export interface Load {
  readonly client: SimClient;
  readonly history: WriteSeen[];
}

/** Goes on while somebody runs the world. */
export function startClient(world: World, options: LoadOptions): Load {
  const { seed, ms, pauseMs = 12, name = "x", deadlineMs = 2_000, history = [] } = options;
  const until = world.timeline.now + ms;
  const random = seededRandom(seed);
  const client = new SimClient({ ...options, world, random, name, deadlineMs, history });
  const loop = async (): Promise<void> => {
    while (world.timeline.now < until) {
      await client.act();
      await world.pause(1 + random.below(2 * pauseMs));
    }
  };
  void loop();
  return { client, history };
}
