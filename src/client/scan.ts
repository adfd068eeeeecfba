/** A scan of all data: partition after partition, in pages, each read from r replicas. */
import type { Key } from "../core/key.ts";
import { partitionsDefault } from "../core/limits.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import type { Found, ScanOptions } from "./api.ts";
import type { Calls } from "./calls.ts";
import { foundIn, resolvedAs, unexpected } from "./found.ts";
import { limitFrom, prefixFrom, signalFrom, timeoutFrom } from "./input.ts";
import { resolverOf } from "./resolve/bucket-resolver.ts";

const pageKeys = 500;

export interface ScanParts {
  readonly calls: Calls;
  readonly timeoutMs: number;
  ring(): RingState | undefined;
}

interface Scan {
  readonly bucket: string;
  readonly prefix: Uint8Array;
  readonly limit: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Looks at what it was given at once, so that the caller may reuse its buffer. */
export function scanAll(
  parts: ScanParts,
  bucket: string,
  options: ScanOptions,
): AsyncGenerator<[key: Uint8Array, found: Found]> {
  return pages(parts, {
    bucket,
    prefix: prefixFrom(options.prefix),
    limit: limitFrom(options.limit),
    timeoutMs: timeoutFrom(options.timeoutMs, parts.timeoutMs),
    signal: signalFrom(options.signal),
  });
}

async function* pages(
  { calls, ring }: ScanParts,
  { bucket, prefix, limit, timeoutMs, signal }: Scan,
): AsyncGenerator<[key: Uint8Array, found: Found]> {
  let left = limit;
  const partitions = ring()?.owners.length ?? partitionsDefault;
  for (let partition = 0; partition < partitions && left > 0; partition++) {
    const place = { high: partition * (0x100000000 / partitions) };
    let after: Key | undefined;
    do {
      const limit = Math.min(left, pageKeys);
      const { result } = await calls.run({
        command: { kind: "scan", partition, after, limit, bucket, prefix, deadlineMs: 0 },
        place,
        token: undefined,
        preferred: 0,
        timeoutMs,
        signal,
      });
      if (result.kind !== "page") throw unexpected(result);
      for (const { key, versions } of result.entries) {
        yield [key.bytes, resolvedAs(foundIn(versions), resolverOf(ring(), bucket))];
        left -= 1;
        if (left === 0) return;
      }
      after = result.next;
    } while (after !== undefined);
  }
}
