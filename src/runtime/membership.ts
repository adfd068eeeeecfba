/**
 * Which cluster a directory belongs to, and as whom: an empty one founds a cluster or joins one,
 * any other goes on where it was, without waiting for anybody. What is found out is durable before
 * the node first speaks as a member.
 */
import type { Engine } from "../../native-free-engine/index.ts";
import { nDefault, partitionsDefault } from "../core/limits.ts";
import { foundRing } from "../core/members/founding.ts";
import type { Candidate } from "../core/message.ts";
import { checkRing } from "../core/ring/check-ring.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { decodeRing, encodeRing } from "../core/wire/ring.ts";
import { ClusterError } from "../errors.ts";
import { metaKey } from "../store/keyspace.ts";
import { ask } from "./ask.ts";
import { invalidConfig, type Settings } from "./config.ts";
import type { Dialler } from "./gate.ts";
import {
  encodeIdentity,
  type Identity,
  identityName,
  joiningName,
  newClusterId,
  newMacKey,
} from "./identity.ts";
import { joinCluster } from "./join.ts";
import type { Log } from "./log.ts";

export interface Membership {
  readonly identity: Identity;
  readonly ring: RingState;
}

export interface MembershipParts {
  readonly engine: Engine;
  readonly settings: Settings;
  /** Where others reach this node. */
  readonly address: string;
  readonly log: Log;
  readonly gate: Dialler;
  now(): number;
}

/** As the core names them in `save-meta`. */
const ringName = "ring";
const foundersId = 1;
/** Long enough for a node that lives to say which cluster it is of; nobody is waited for. */
const lookMs = 500;

/** A new cluster of this node alone. */
export async function found(parts: MembershipParts): Promise<Membership> {
  const { settings, log } = parts;
  const clusterId = newClusterId();
  const { n = nDefault, partitions = partitionsDefault } = settings;
  const member = { id: foundersId, ...candidateOf(parts), state: "member" } as const;
  const ring = foundRing({ clusterId, member, n, partitions });
  log.info("cluster.founded", { clusterId, n, partitions });
  return settle(parts, { id: foundersId, ring, contextKeys: [newMacKey()] });
}

export async function join(parts: MembershipParts): Promise<Membership> {
  const { engine, settings, log, gate, now } = parts;
  // The same attempt when this process ends before it has the answer, and is started again.
  const attempt = await attemptOf(engine);
  const joined = await joinCluster({
    seeds: settings.join,
    candidate: candidateOf(parts),
    attempt,
    stage: settings.stage,
    timeoutMs: settings.joinMsMax,
    log,
    gate,
    now,
    check: (ring) => checkFounded(settings, ring),
  });
  log.info("cluster.joined", { clusterId: joined.ring.clusterId, id: joined.id });
  return settle(parts, joined);
}

/** Goes on as who it was. Throws IDENTITY_MISMATCH when it is told to be somebody else. */
export async function resume(parts: MembershipParts, known: Identity): Promise<Membership> {
  const { engine, settings, address, gate, now } = parts;
  const bytes = await engine.get(metaKey(ringName));
  const ring = bytes === undefined ? undefined : decodeRing(bytes);
  if (ring === undefined || checkRing(ring).length > 0) {
    throw new ClusterError("CORRUPTION", `${settings.data}: the record of the ring is damaged`);
  }
  const { id, clusterId } = known;
  const belongs = `${settings.data} belongs to node ${id} of cluster ${clusterId}`;
  const member = ring.members.find((one) => one.id === id);
  if (ring.clusterId !== clusterId || member === undefined) {
    throw new ClusterError("IDENTITY_MISMATCH", `${belongs}, but its ring does not know that node`);
  }
  if (member.state === "left") {
    const message = `${belongs}, which has left it; its number is not used again`;
    throw new ClusterError("IDENTITY_MISMATCH", message);
  }
  if (address !== member.address) {
    throw new ClusterError(
      "IDENTITY_MISMATCH",
      `${belongs} at ${member.address}, and cannot be reached at ${address} instead: ` +
        `listen there, or advertise ${member.address}`,
    );
  }
  checkFounded(settings, { n: ring.n, partitions: ring.owners.length });
  await checkSeeds(settings.join, { clusterId, belongs, gate });
  const identity = { ...known, started: Math.max(Math.floor(now()), known.started + 1) };
  await engine.put(metaKey(identityName), encodeIdentity(identity), { sync: true });
  return { identity, ring };
}

async function settle(
  { engine, address, now }: MembershipParts,
  { id, ring, contextKeys }: Pick<Identity, "id" | "contextKeys"> & { readonly ring: RingState },
): Promise<Membership> {
  const { clusterId } = ring;
  const identity = { clusterId, id, address, started: Math.floor(now()), contextKeys };
  await engine.batch(
    [
      { type: "put", key: metaKey(identityName), value: encodeIdentity(identity) },
      { type: "put", key: metaKey(ringName), value: encodeRing(ring) },
      { type: "del", key: metaKey(joiningName) },
    ],
    { sync: true },
  );
  return { identity, ring };
}

function candidateOf({ settings, address }: MembershipParts): Candidate {
  const { dc, rack, weight } = settings;
  return { address, dc, rack, weight };
}

async function attemptOf(engine: Engine): Promise<string> {
  const begun = await engine.get(metaKey(joiningName));
  if (begun !== undefined) return Buffer.from(begun).toString("hex");
  const attempt = crypto.getRandomValues(new Uint8Array(16));
  await engine.put(metaKey(joiningName), attempt, { sync: true });
  return Buffer.from(attempt).toString("hex");
}

/** What is fixed at founding cannot be asked for otherwise. */
function checkFounded(
  settings: Settings,
  ring: { readonly n: number; readonly partitions: number },
): void {
  const problems: string[] = [];
  for (const field of ["n", "partitions"] as const) {
    const wanted = settings[field];
    if (wanted === undefined || wanted === ring[field]) continue;
    problems.push(
      `${field} was fixed at ${ring[field]} when the cluster was founded, got ${wanted}`,
    );
  }
  for (const field of ["r", "w"] as const) {
    const wanted = settings[field];
    if (wanted === undefined || wanted <= ring.n) continue;
    problems.push(`${field} must be from 1 to n, got ${wanted} with n ${ring.n}`);
  }
  if (problems.length > 0) throw invalidConfig(problems);
}

/** A seed that answers for another cluster shows that the directory is the wrong one. */
async function checkSeeds(
  seeds: readonly string[],
  more: { readonly clusterId: string; readonly belongs: string; readonly gate: Dialler },
): Promise<void> {
  const { clusterId, belongs, gate } = more;
  const command = { name: "ring", arguments: {}, timeoutMs: lookMs };
  for (const [i, answer] of (
    await Promise.all(seeds.map((seed) => ask(seed, command, gate)))
  ).entries()) {
    if (answer.kind !== "answer") continue;
    const other = (answer.json as { clusterId?: unknown } | null)?.clusterId;
    if (typeof other !== "string" || other === clusterId) continue;
    const message = `${belongs}, but ${seeds[i]} is of cluster ${other}`;
    throw new ClusterError("IDENTITY_MISMATCH", message);
  }
}
