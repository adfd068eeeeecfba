/** A scan of all data: partition after partition, in pages, each read from r replicas. */
import type { Key } from "../core/key.ts";
import { partitionsDefault } from "../core/limits.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { ClusterError } from "../errors.ts";
import type { Found, ScanOptions } from "./api.ts";
import type { Calls } from "./calls.ts";
import { Context } from "./context.ts";
import { unexpected } from "./found.ts";
import { bytesOf, timeoutFrom } from "./input.ts";

const pageKeys = 500;

export interface ScanParts {
  readonly calls: Calls;
  readonly timeoutMs: number;
  ring(): RingState | undefined;
}

export async function* scanAll(
  parts: ScanParts,
  bucket: string,
  options: ScanOptions,
): AsyncGenerator<[key: Uint8Array, found: Found]> {
  const prefix =
    options.prefix === undefined ? new Uint8Array(0) : bytesOf(options.prefix, "prefix");
  let left = limitOf(options.limit);
  const partitions = parts.ring()?.owners.length ?? partitionsDefault;
  for (let partition = 0; partition < partitions && left > 0; partition++) {
    let after: Key | undefined;
    do {
      const { result } = await parts.calls.run({
        command: {
          kind: "scan",
          partition,
          after,
          limit: Math.min(left, pageKeys),
          bucket,
          prefix,
          deadlineMs: 0,
        },
        key: after,
        token: undefined,
        preferred: 0,
        timeoutMs: timeoutFrom(options.timeoutMs, parts.timeoutMs),
        signal: options.signal,
      });
      if (result.kind !== "page") throw unexpected(result);
      for (const { key, versions } of result.entries) {
        yield [key.bytes, foundIn(versions.siblings.map(({ value }) => value))];
        left -= 1;
        if (left === 0) return;
      }
      after = result.next;
    } while (after !== undefined);
  }
}

/** A page carries no sealed contexts: to write, read the key. */
function foundIn(values: readonly Uint8Array[]): Found {
  return {
    values,
    context: new Context(new Uint8Array(0)),
    written: [],
    get value() {
      if (values.length < 2) return values[0];
      throw new ClusterError("CONFLICT", `${values.length} siblings; look at \`values\``);
    },
  };
}

function limitOf(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(limit) && limit >= 0) return limit;
  throw new ClusterError("RANGE_INVALID", `limit is a whole number from 0, not ${String(limit)}`);
}
