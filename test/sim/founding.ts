/** What a world begins with. */
import type { CleanupTuning } from "../../src/core/cleanup/cleanup.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { plan } from "../../src/core/ring/planner.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";

import { calm, type Weather } from "./network.ts";

const clusterId = "5eed".repeat(8);

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly n?: number;
  readonly r?: number;
  readonly w?: number;
  readonly partitions?: number;
  readonly weather?: Weather;
  /** What a sync of a disk takes at most. */
  readonly diskMsMax?: number;
  /** Small ones make tables out of little. */
  readonly memtableBytes?: number;
  /** From one tick of a node to the next. */
  readonly tickMs?: number;
  /** Where there is no time for clean-up at its usual pace. */
  readonly cleanup?: Partial<CleanupTuning>;
  /** Where each of the first nodes is; all in one data centre by default. */
  readonly dcOf?: (id: NodeId) => string;
}

export function filledOptions(options: WorldOptions): Required<WorldOptions> {
  const dcOf = (): string => "dc1";
  const usual = { n: 3, r: 2, w: 2, partitions: 16, weather: calm, diskMsMax: 0 };
  const engine = { memtableBytes: 256 << 10, tickMs: 10 };
  return { ...usual, ...engine, cleanup: {}, dcOf, ...options };
}

/** Founded with everybody at once: every world begins in the middle of its life. */
export function foundedRing(options: Required<WorldOptions>): RingState {
  const { nodes, n, partitions, dcOf } = options;
  const members = Array.from({ length: nodes }, (_, i): Member => {
    const id = i + 1;
    const address = `n${id}:7400`;
    return { id, address, dc: dcOf(id), rack: "r1", weight: 1, state: "member" };
  });
  const nobody = Array.from({ length: partitions }, () => []);
  const owners = plan(members, n, nobody);
  const changes = { moves: [], buckets: [], staged: [] };
  return { clusterId, generation: 1, epoch: 1, n, members, owners, ...changes };
}
