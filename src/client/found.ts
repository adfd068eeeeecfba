/** What a read found, and the one place where several values are a conflict. */
import type { Versions } from "../core/clock/versions.ts";
import type { Result } from "../core/message.ts";
import { ClusterError } from "../errors.ts";
import type { BytesInput, Found, Stored } from "./api.ts";
import type { Answer } from "./connection.ts";
import { Context } from "./context.ts";
import { bytesOf } from "./input.ts";
import type { Resolver, WrittenValue } from "./resolve/sibling.ts";

const noBytes = new Uint8Array(0);

/** Throws INTERNAL when the node answered something else than was asked. */
export function foundFrom({ result, token }: Answer): Found {
  if (result.kind !== "found") throw unexpected(result);
  const context = new Context(token ?? noBytes, result.fastest);
  return new FoundValues(result, context);
}

/** A page carries no sealed contexts: to write, read the key. */
export function foundIn({ siblings }: Versions): Found {
  const values = siblings.map(({ value }) => value);
  const written = siblings.map(({ time, dot }) => ({ time, actor: dot.actor }));
  const parts = { values, written, degraded: false, trace: undefined };
  return new FoundValues(parts, new Context(noBytes));
}

/** Where there are several values, `value` is what the caller makes of them. */
export function resolvedBy(
  found: Found,
  resolve: ((values: Uint8Array[]) => BytesInput) | undefined,
): Found {
  const { values, written, context, degraded, trace } = found;
  if (resolve === undefined || values.length < 2) return found;
  const merged = bytesOf(resolve([...values]), "resolved value");
  return new FoundValues({ values, written, degraded: degraded === true, trace, merged }, context);
}

/** The same where a bucket's resolver makes one of them; as they are where it makes none. */
export function resolvedAs(found: Found, resolver: Resolver | undefined): Found {
  if (resolver === undefined || found.values.length < 2) return found;
  const merged = resolver(writtenValues(found));
  return merged === undefined ? found : resolvedBy(found, () => merged);
}

/** What resolvers work on. */
export function writtenValues({ values, written }: Found): readonly WrittenValue[] {
  return values.map((value, i) => {
    const { time, actor } = written[i] ?? { time: 0, actor: "" };
    return { value, time, actor };
  });
}

/** What there is to work on: the merged value in place of those that it was made of. */
export function mergedValues(found: Found): readonly Uint8Array[] {
  const merged = found instanceof FoundValues ? found.merged : undefined;
  return merged === undefined ? found.values : [merged];
}

export function storedFrom({ result, token }: Answer): Stored {
  if (result.kind !== "stored") throw unexpected(result);
  const context = new Context(token ?? noBytes, result.fastest);
  return { context, acks: result.acks, ...(result.trace ? { trace: result.trace } : {}) };
}

export function unexpected(result: Result): ClusterError {
  return new ClusterError("INTERNAL", `the node answered with ${result.kind}, which was not asked`);
}

class FoundValues implements Found {
  readonly values: readonly Uint8Array[];
  readonly context: Context;
  readonly written: Found["written"];
  readonly degraded: boolean;
  readonly trace: string | undefined;
  readonly #merged: Uint8Array | undefined;

  constructor(
    parts: {
      readonly values: readonly Uint8Array[];
      readonly written: Found["written"];
      readonly degraded: boolean;
      readonly trace: string | undefined;
      readonly merged?: Uint8Array;
    },
    context: Context,
  ) {
    this.values = parts.values;
    this.written = parts.written;
    this.degraded = parts.degraded;
    this.trace = parts.trace;
    this.context = context;
    this.#merged = parts.merged;
  }

  get merged(): Uint8Array | undefined {
    return this.#merged;
  }

  get value(): Uint8Array | undefined {
    if (this.#merged !== undefined) return this.#merged;
    if (this.values.length < 2) return this.values[0];
    throw new ClusterError(
      "CONFLICT",
      `${this.values.length} values were written without knowledge of each other; ` +
        "look at `values`, or merge them with update()",
    );
  }
}
