/** Refuses what cannot be done as it was asked, before anything is sent or stored. */
import { failed } from "../failure.ts";
import type { Key } from "../key.ts";
import {
  bucketBytesMax,
  deadlineMsMax,
  deadlineMsMin,
  keyBytesMax,
  ttlMsMax,
  valueBytesMax,
} from "../limits.ts";
import type { Command, Failed } from "../message.ts";

/** The commands on data, which a coordinator takes. */
export type DataCommand = Command & { readonly kind: "get" | "put" | "scan" };

export interface Bounds {
  readonly n: number;
  readonly partitions: number;
}

/** Why the command is refused; undefined when it is well-formed. */
export function refusalOf(command: DataCommand, bounds: Bounds): Failed | undefined {
  const { deadlineMs } = command;
  if (!(deadlineMs >= deadlineMsMin && deadlineMs <= deadlineMsMax)) {
    const range = `${deadlineMsMin}..${deadlineMsMax} ms`;
    return failed("DEADLINE_INVALID", `the deadline must be ${range}, got ${deadlineMs}`);
  }
  switch (command.kind) {
    case "get":
      return refusedKey(command.key) ?? refusedQuorum("r", command.r, bounds.n);
    case "put":
      return (
        refusedKey(command.key) ??
        refusedQuorum("w", command.w, bounds.n) ??
        refusedValue(command.value) ??
        refusedTtl(command.ttlMs)
      );
    default:
      return refusedPage(command, bounds.partitions);
  }
}

function refusedKey({ bucket, bytes }: Key): Failed | undefined {
  const { length } = bytes;
  if (length === 0) return failed("KEY_EMPTY", `key must be 1..${keyBytesMax} bytes, got 0`);
  if (length > keyBytesMax) {
    return failed("KEY_TOO_LARGE", `key is ${length} bytes, limit ${keyBytesMax}`);
  }
  if (bucket.length <= bucketBytesMax) return undefined;
  return failed("INVALID_ARGUMENT", `bucket name is longer than ${bucketBytesMax} bytes`);
}

function refusedQuorum(name: string, value: number | undefined, n: number): Failed | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= n))
    return undefined;
  const why = value > n ? `${name}=${value} exceeds n=${n}` : `${name}=${value} is not from 1 to n`;
  return failed("QUORUM_INVALID", `${why}; ${name} must be an integer from 1 to ${n}`);
}

function refusedValue(value: Uint8Array | undefined): Failed | undefined {
  if (value === undefined || value.length <= valueBytesMax) return undefined;
  return failed("VALUE_TOO_LARGE", `value is ${value.length} bytes, limit ${valueBytesMax}`);
}

function refusedTtl(ttlMs: number | undefined): Failed | undefined {
  if (ttlMs === undefined || (ttlMs >= 0 && ttlMs <= ttlMsMax)) return undefined;
  return failed("TTL_INVALID", `ttl must be 0..${ttlMsMax} ms (ten years), got ${ttlMs}`);
}

function refusedPage(
  { partition, limit }: DataCommand & { readonly kind: "scan" },
  partitions: number,
): Failed | undefined {
  if (!(Number.isInteger(partition) && partition >= 0 && partition < partitions)) {
    const range = `0..${partitions - 1}`;
    return failed("RANGE_INVALID", `there is no partition ${partition}, only ${range}`);
  }
  if (Number.isInteger(limit) && limit >= 1) return undefined;
  return failed("RANGE_INVALID", `the limit of a page must be at least 1, got ${limit}`);
}
