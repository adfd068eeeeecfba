/**
 * A node from its settings to its end: opens the directory, founds a cluster, joins one or goes on
 * in the one it belongs to, and serves until it is closed. What fails on the way is undone.
 */
import type { ClusterError } from "../errors.ts";
import { type Address, formatAddress, parseAddress } from "./address.ts";
import { checkConfig, listenDefault, type NodeConfig, type Settings } from "./config.ts";
import { Door } from "./door.ts";
import { Gate } from "./gate.ts";
import type { Identity } from "./identity.ts";
import { listen } from "./listener.ts";
import { openLog } from "./log.ts";
import { found, join, resume } from "./membership.ts";
import { openNodeEngine, readIdentity } from "./node-store.ts";
import { lackingAt, refuseOpenAddress } from "./open-address.ts";
import { Running, type RunningNode } from "./running.ts";
import { NodeClock } from "./time.ts";

export type { NodeConfig } from "./config.ts";
export type { RunningNode } from "./running.ts";

/**
 * Starts a node. On an empty directory it founds a cluster, or with `join` becomes a member of one;
 * on any other it goes on as the member it was. Resolves once it serves; rejects with a
 * ClusterError and leaves nothing open.
 */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  const settings = await checkConfig(config);
  const log = await openLog(settings.logLevel);
  const clock = new NodeClock();
  const opened: { close(): Promise<void> }[] = [];
  try {
    const gate = new Gate(settings, { log, now: () => clock.now() });
    opened.push({ close: async () => gate.close() });
    const engine = await openNodeEngine(settings);
    opened.push(engine);
    const known = await readIdentity(engine, settings.data);
    const wanted = addressToListenOn(settings, known);
    const door = new Door();
    // Before it asks to be let in: members will dial it as soon as they know of it.
    const listener = await listen({
      ...wanted,
      tls: gate.nodeTls,
      admit: (incoming) => door.admit(incoming),
    });
    opened.push(listener);
    gate.onLook((changed) => {
      if (changed.has("tls") && gate.nodeTls !== undefined) listener.setTls(gate.nodeTls);
    });
    const { port } = listener.address;
    const lacking = lackingAt(formatAddress(listener.address), settings);
    if (lacking.length > 0) log.warn("node.insecure", { lacking });
    const address = settings.advertise ?? formatAddress({ host: wanted.host, port });
    const parts = { engine, settings, address, log, gate, now: () => clock.now() };
    const become = settings.join.length === 0 ? found : join;
    const membership = known === undefined ? await become(parts) : await resume(parts, known);
    return await Running.start({ engine, listener, door, gate, membership, settings, log, clock });
  } catch (error) {
    for (const part of opened.reverse()) await part.close().catch(() => undefined);
    log.error("node.failed", { code: (error as ClusterError).code, why: String(error) });
    throw error;
  }
}

/** A node comes back where it was, unless it is told otherwise. */
function addressToListenOn(settings: Settings, known: Identity | undefined): Address {
  const listenAt = settings.listen ?? (settings.advertise ? undefined : known?.address);
  const text = listenAt ?? listenDefault;
  refuseOpenAddress(text, settings);
  const address = parseAddress(text) as Address;
  const before = parseAddress(known?.address ?? "");
  const mayMove = address.port !== 0 || settings.advertise !== undefined || before === undefined;
  return mayMove ? address : { host: address.host, port: before.port };
}
