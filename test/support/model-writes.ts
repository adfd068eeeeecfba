/**
 * Writes of the model test: asked of the engine, and told to the oracle once they are acknowledged.
 * The caller's buffers are overwritten as soon as each call has returned.
 */
import type { BatchOperation, BytesInput } from "../../native-free-engine/api.ts";
import type { Issued, ModelDriver } from "./model-driver.ts";
import { bytesOf, type Change, type Stored } from "./model-oracle.ts";
import { pick } from "./random.ts";

export type Random = () => number;

export function issuePut(driver: ModelDriver, random: Random, ttlMs?: number): Issued {
  const key = driver.preset.key(random);
  const stored = storedBy(driver, random, ttlMs);
  const sync = pick(random, 8) === 0;
  const bytes = input(key, random);
  const value = stored.value.slice();
  const promise = driver.engine.put(bytes, value, {
    sync: sync || undefined,
    ttlMs,
  });
  scribble(bytes, value);
  return { changes: [{ key, stored }], promise, sync };
}

export function issueDelete(driver: ModelDriver, random: Random): Issued {
  const key = driver.preset.key(random);
  const sync = pick(random, 8) === 0;
  const bytes = input(key, random);
  const promise = driver.engine.delete(bytes, { sync: sync || undefined });
  scribble(bytes);
  return { changes: [{ key, stored: undefined }], promise, sync };
}

export function issueBatch(driver: ModelDriver, random: Random): Issued {
  const changes: Change[] = [];
  const batch: BatchOperation[] = [];
  const buffers: BytesInput[] = [];
  for (let left = pick(random, 12); left > 0; left--) {
    const key = driver.preset.key(random);
    const bytes = input(key, random);
    buffers.push(bytes);
    if (pick(random, 3) === 0) {
      changes.push({ key, stored: undefined });
      batch.push({ type: "del", key: bytes });
      continue;
    }
    const ttlMs = pick(random, 6) === 0 ? ttl(random) : undefined;
    const stored = storedBy(driver, random, ttlMs);
    const value = stored.value.slice();
    buffers.push(value);
    changes.push({ key, stored });
    batch.push({ type: "put", key: bytes, value, ttlMs });
  }
  const sync = changes.length > 0 && pick(random, 4) === 0;
  const promise = driver.engine.batch(batch, { sync: sync || undefined });
  scribble(...buffers);
  batch.length = 0;
  return { changes, promise, sync };
}

export function issueSome(driver: ModelDriver, random: Random): Issued[] {
  return Array.from({ length: pick(random, 20) }, () => {
    const kind = pick(random, 10);
    if (kind < 2) return issueDelete(driver, random);
    if (kind < 4) return issueBatch(driver, random);
    return issuePut(driver, random, kind === 4 ? ttl(random) : undefined);
  });
}

/** Writes nobody has waited for, at some moment of their way to the disk. */
export async function inFlight(driver: ModelDriver, random: Random): Promise<Issued[]> {
  const issued = issueSome(driver, random);
  for (let ticks = pick(random, 6); ticks > 0; ticks--) await undefined;
  if (pick(random, 3) === 0) await driver.clock.sleep(0);
  return issued;
}

export async function settle(driver: ModelDriver, issued: Issued): Promise<void> {
  await issued.promise;
  driver.acknowledge(issued);
}

export function ttl(random: Random): number {
  return pick(random, 3) === 0 ? 1 + pick(random, 5) : 1 + pick(random, 2000);
}

/** As text where it can be text. */
export function input(key: string, random: Random): BytesInput {
  const isAscii = !/[\x80-\xff]/.test(key);
  return isAscii && pick(random, 2) === 0 ? key : bytesOf(key);
}

/** What callers do with their buffers after a call is their business. */
export function scribble(...inputs: BytesInput[]): void {
  for (const bytes of inputs) if (typeof bytes !== "string") bytes.fill(0xee);
}

function storedBy(driver: ModelDriver, random: Random, ttlMs: number | undefined): Stored {
  const value = new Uint8Array(Math.floor(driver.preset.valueBytes(random)));
  if (driver.preset.compressible === true && pick(random, 2) === 0) {
    value.fill(pick(random, 256));
  } else {
    const salt = Math.floor(random() * 2 ** 32);
    for (let i = 0; i < value.length; i++) value[i] = Math.imul(salt + i, 0x9e3779b1) >>> 24;
  }
  const expiry = ttlMs === undefined ? Number.POSITIVE_INFINITY : driver.clock.now() + ttlMs;
  return { value, expiry };
}
