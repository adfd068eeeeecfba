/** A scan of all data: partition after partition, in pages, each read from r replicas. */
import type { Versions } from "../core/clock/versions.ts";
import type { Key } from "../core/key.ts";
import { partitionsDefault } from "../core/limits.ts";
import type { Command, Result } from "../core/message.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { ClusterError } from "../errors.ts";
import type { Found, ScanOptions } from "./api.ts";
import type { Calls } from "./calls.ts";
import { Context } from "./context.ts";
import { unexpected } from "./found.ts";
import { bytesOf, timeoutFrom } from "./input.ts";

const pageKeys = 500;
/** First pages that a scan to the end asks for before it needs them. */
const partitionsAhead = 4;

type Page = Result & { readonly kind: "page" };

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
  const read = (partition: number, after: Key | undefined): Promise<Page> =>
    readPage(parts, options, { partition, after, limit: Math.min(left, pageKeys), bucket, prefix });
  const ahead: Promise<Page>[] = [];
  for (let partition = 0; partition < partitions && left > 0; partition++) {
    // A scan to the end always has some partitions on their way; one with a limit may stop soon.
    const depth = left === Number.POSITIVE_INFINITY ? partitionsAhead : 1;
    while (ahead.length < depth && partition + ahead.length < partitions) {
      ahead.push(begun(read(partition + ahead.length, undefined)));
    }
    let page = await ahead.shift();
    while (page !== undefined) {
      for (const { key, versions } of page.entries) {
        yield [key.bytes, foundIn(versions)];
        left -= 1;
        if (left === 0) return;
      }
      page = page.next === undefined ? undefined : await read(partition, page.next);
    }
  }
}

async function readPage(
  { calls, timeoutMs }: ScanParts,
  options: ScanOptions,
  what: Omit<Command & { readonly kind: "scan" }, "kind" | "deadlineMs">,
): Promise<Page> {
  const { result } = await calls.run({
    command: { kind: "scan", ...what, deadlineMs: 0 },
    key: what.after,
    token: undefined,
    preferred: 0,
    timeoutMs: timeoutFrom(options.timeoutMs, timeoutMs),
    signal: options.signal,
  });
  if (result.kind !== "page") throw unexpected(result);
  return result;
}

/** If it fails before somebody waits for it, whoever waits then is told. */
function begun(page: Promise<Page>): Promise<Page> {
  page.catch(() => {});
  return page;
}

/** A page carries no sealed contexts: to write, read the key. */
function foundIn({ siblings }: Versions): Found {
  const values = siblings.map(({ value }) => value);
  return {
    values,
    context: new Context(new Uint8Array(0)),
    written: siblings.map(({ time, dot }) => ({ time, actor: dot.actor })),
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
