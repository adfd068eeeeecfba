/** What the tests of the runtime share: a ring, a listener at a free port, waiting for a fact. */
import { expect } from "vitest";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { formatAddress } from "../../src/runtime/address.ts";
import type { ClientGate } from "../../src/runtime/clients.ts";
import { openDialler } from "../../src/runtime/gate.ts";
import type { Admission, Incoming, Listener } from "../../src/runtime/listener.ts";
import { listen } from "../../src/runtime/listener.ts";
import type { PeerGate } from "../../src/runtime/peers.ts";

export const clusterId = "0123456789abcdef0123456789abcdef";

/** Lets everybody in. */
export const openGate: ClientGate & PeerGate = {
  ...openDialler,
  judgePeer: () => ({ kind: "proved", headers: {}, grounds: undefined }),
  holds: () => true,
  judgeClient: () => ({
    ...{ kind: "pass", principal: { name: "anyone", role: "admin", scopes: undefined } },
  }),
  judgeAgain: (pass) => pass,
};

/** Members at these addresses, numbered from 1, which all own everything. */
export function ringOf(addresses: readonly string[], more: Partial<RingState> = {}): RingState {
  const members = addresses.map((address, i) => ({
    ...{ id: i + 1, address, dc: "dc1", rack: "rack1", weight: 1 },
    state: "member" as const,
  }));
  const owners = Array.from({ length: 4 }, () => members.map(({ id }) => id));
  return {
    clusterId,
    generation: 1,
    epoch: 1,
    n: 3,
    members,
    owners,
    moves: [],
    buckets: [],
    staged: [],
    ...more,
  };
}

export async function until(isTrue: () => boolean, timeout = 10_000): Promise<void> {
  await expect.poll(isTrue, { timeout, interval: 5 }).toBe(true);
}

/** A port whose admission may be set later. */
export async function openPort(port = 0): Promise<{
  readonly listener: Listener;
  readonly address: string;
  admit: (incoming: Incoming) => Admission;
}> {
  const opened = {
    admit: (_incoming: Incoming): Admission => ({
      ...{ kind: "refused", status: 503, code: "NOT_READY", message: "not yet" },
    }),
  } as { admit: (incoming: Incoming) => Admission };
  const listener = await listen({
    host: "127.0.0.1",
    port,
    admit: (incoming) => opened.admit(incoming),
  });
  return Object.assign(opened, { listener, address: formatAddress(listener.address) });
}
