/** The words that stories of a cluster are told in: one request at one node, and what they hold. */
import { expect } from "vitest";
import { digestOf } from "../../src/core/clock/digest.ts";
import type { CausalContext } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Result } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { heldIn } from "./inspect.ts";
import { keyFrom, textOf } from "./workload.ts";
import type { World } from "./world.ts";

let operations = 0;

export interface PutOptions {
  readonly context?: CausalContext;
  readonly w?: number;
  readonly ttlMs?: number;
  readonly strict?: boolean;
}

export async function put(
  world: World,
  at: NodeId,
  key: string,
  value: string | undefined,
  { context, w, ttlMs = 0, strict = false }: PutOptions = {},
): Promise<Result | undefined> {
  operations += 1;
  return world.ask(at, {
    kind: "put",
    key: keyFrom(key),
    context,
    value: value === undefined ? undefined : Buffer.from(value),
    ttlMs,
    operation: { at: Math.floor(world.timeline.now), nonce: operations, retried: false },
    w,
    strict,
    deadlineMs: 2_000,
    trace: false,
  });
}

export async function get(world: World, at: NodeId, key: string, r?: number) {
  const result = await world.ask(at, {
    kind: "get",
    key: keyFrom(key),
    r,
    strict: false,
    deadlineMs: 2_000,
    trace: false,
  });
  if (result?.kind !== "found") throw new Error(`get at ${at}: ${JSON.stringify(result)}`);
  const values = result.values.map(textOf).sort();
  return { values, context: result.context, degraded: result.degraded };
}

/** All owners hold the same of these keys; gives their values. */
export async function agreedOn(
  world: World,
  keys: readonly string[],
): Promise<Record<string, string[]>> {
  const values: Record<string, string[]> = {};
  for (const [key, copies] of await heldIn(world, keys)) {
    expect(new Set(copies.map(({ versions }) => versions)).size, `${key} differs`).toBe(1);
    values[key] = [...(copies[0]?.values ?? [])].sort();
  }
  return values;
}

export function ownersOf(world: World, key: string): readonly NodeId[] {
  const ring = new Ring(world.ring, 0);
  return ring.owners(ring.partitionOf(keyFrom(key)));
}

export async function dropHints(world: World, holder: NodeId, target: NodeId): Promise<void> {
  const store = world.storeOf(holder);
  for (;;) {
    let isLast: boolean | undefined;
    store.run({ kind: "read-hints", target, bytes: 1 << 20 }, (outcome) => {
      if (outcome.kind !== "hints") throw new Error(outcome.kind);
      const entries = outcome.entries.map(({ key, versions }) => ({
        key,
        digest: digestOf(versions),
      }));
      if (entries.length === 0) isLast = true;
      else {
        store.run({ kind: "drop-hints", target, entries }, () => {
          isLast = outcome.isLast;
        });
      }
    });
    await world.timeline.runUntil(world.timeline.now + 10_000, () => isLast !== undefined);
    if (isLast === undefined) throw new Error("hints are not answered");
    if (isLast) return;
  }
}
