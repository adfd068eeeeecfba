/**
 * What two nodes say of themselves in the headers of an upgrade, and whether they may talk. Each
 * node dials its own outgoing connections and sends on nothing else: so nobody has to break a tie
 * when both dial at once, and a node that restarts is heard at once, whoever has the lower number.
 */
import type { NodeId } from "../core/ids.ts";
import type { Lane } from "../core/message.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import type { Refusal } from "./refusal.ts";
import type { Headers } from "./sockets.ts";

export interface Hello {
  readonly clusterId: string;
  readonly node: NodeId;
  /** Whom the dialler takes the other side for. */
  readonly to: NodeId;
  /** When the process of the dialler started, by its clock. */
  readonly started: number;
  readonly epoch: number;
  readonly lane: Lane;
  /** The dialler's clock at this moment. */
  readonly clock: number;
}

/** Beyond this, times that values carry mean nothing to the other side. */
export const skewMsMax = 60_000;

const lanes: readonly Lane[] = ["control", "data", "bulk"];
const nobody = 0;

/** What a node says that is of no cluster yet, and knows neither its number nor theirs. */
export function newcomersHello(now: number): Hello {
  const clock = Math.floor(now);
  return {
    ...{ clusterId: "0".repeat(32), node: nobody, to: nobody, started: clock },
    ...{ epoch: 0, lane: "control", clock },
  };
}

export function isNewcomer(hello: Hello | undefined): boolean {
  return hello?.node === nobody;
}

export function encodeHello(hello: Hello): Headers {
  return {
    "everwrite-cluster": hello.clusterId,
    "everwrite-node": String(hello.node),
    "everwrite-to": String(hello.to),
    "everwrite-started": String(hello.started),
    "everwrite-epoch": String(hello.epoch),
    "everwrite-lane": hello.lane,
    "everwrite-clock": String(hello.clock),
  };
}

/** Undefined when a header is missing or is not what it should be. */
export function decodeHello(headers: Readonly<Record<string, unknown>>): Hello | undefined {
  const clusterId = headers["everwrite-cluster"];
  const lane = lanes.find((known) => known === headers["everwrite-lane"]);
  const [node, to, started, epoch, clock] = ["node", "to", "started", "epoch", "clock"].map(
    (name) => integerOf(headers[`everwrite-${name}`]),
  );
  const isWhole =
    typeof clusterId === "string" &&
    /^[0-9a-f]{32}$/.test(clusterId) &&
    lane !== undefined &&
    node !== undefined &&
    to !== undefined &&
    started !== undefined &&
    epoch !== undefined &&
    clock !== undefined;
  return isWhole ? { clusterId, node, to, started, epoch, lane, clock } : undefined;
}

/** Why the dialler may not connect to the node `self`; undefined when it may. */
export function refusalOfHello(
  hello: Hello | undefined,
  { ring, self }: { readonly ring: RingState; readonly self: NodeId },
): Refusal | undefined {
  if (hello === undefined) {
    const message = "the headers of a node are missing or malformed";
    return { status: 400, code: "FRAME_INVALID", message };
  }
  if (hello.clusterId !== ring.clusterId) {
    const message = `this is cluster ${ring.clusterId}, not ${hello.clusterId}`;
    return { status: 403, code: "CLUSTER_MISMATCH", message };
  }
  if (hello.to !== self) {
    const message = `this is node ${self}, not ${hello.to}`;
    return { status: 421, code: "NODE_UNKNOWN", message };
  }
  if (hello.node === self) {
    const message = `node ${self} is this one: a copy of its directory runs somewhere else`;
    return { status: 409, code: "NODE_ID_IN_USE", message };
  }
  const member = ring.members.find(({ id }) => id === hello.node);
  if (member?.state === "left") {
    const message = `node ${hello.node} has left the cluster; its number is not used again`;
    return { status: 403, code: "NODE_UNKNOWN", message };
  }
  // A node that knows a later epoch may be a member of it; this node will hear of that soon.
  if (member === undefined && hello.epoch <= ring.epoch) {
    const message = `node ${hello.node} is no member in epoch ${ring.epoch}`;
    return { status: 403, code: "NODE_UNKNOWN", message };
  }
  return undefined;
}

function integerOf(header: unknown): number | undefined {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
