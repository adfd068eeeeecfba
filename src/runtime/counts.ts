/**
 * What a node has done since it started, counted by kind: commands of clients, messages to other
 * nodes, and what the core took notice of. A count costs a look into a map, some 10 ns a message;
 * how much a request costs in messages can be told of any cluster for that.
 */
import type { EngineStats } from "../../native-free-engine/index.ts";
import type { NodeId } from "../core/ids.ts";

type Tally = Map<string, number>;

export class Counts {
  readonly #requests: Tally = new Map();
  readonly #sent: Tally = new Map();
  readonly #notices: Tally = new Map();

  /** A client's command, which may be an operator's. */
  request(kind: string): void {
    count(this.#requests, kind);
  }

  /** A message to another node; what a node tells itself is none. */
  sent(kind: string): void {
    count(this.#sent, kind);
  }

  /** `hedged` and `read-repair` among others. */
  notice(kind: string): void {
    count(this.#notices, kind);
  }

  all() {
    return {
      requests: Object.fromEntries(this.#requests),
      sent: Object.fromEntries(this.#sent),
      notices: Object.fromEntries(this.#notices),
    };
  }
}

/** The answer to an operator's command `stats`: counts, and what the process has used so far. */
export function statsOf(node: NodeId, stats: EngineStats, counts: Counts) {
  const { levels: _, backgroundError: __, ...engine } = stats;
  const { user, system } = process.cpuUsage();
  return {
    node,
    uptimeMs: Math.round(1000 * process.uptime()),
    cpuMs: Math.round((user + system) / 1000),
    residentBytes: process.memoryUsage.rss(),
    ...counts.all(),
    engine,
  };
}

/** The kinds are those of closed unions, so a tally stays small. */
function count(tally: Tally, kind: string): void {
  tally.set(kind, (tally.get(kind) ?? 0) + 1);
}
