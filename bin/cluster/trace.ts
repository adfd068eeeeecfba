/** trace: one get or put, and where its time went, as the coordinator saw it. */
import { valueBytesMax } from "../../src/core/limits.ts";
import { keyOf, readValue } from "../arguments.ts";
import { exits, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { bucketOf, quorumOf, withClient } from "./connection.ts";

interface Step {
  readonly atMs: number;
  readonly node: number;
  readonly what: string;
}

export async function trace(invocation: Invocation): Promise<number> {
  const [verb, ...args] = invocation.args;
  if (verb !== "get" && verb !== "put") {
    throw usage(`trace get or trace put, not ${JSON.stringify(verb ?? "")}`);
  }
  const inner = { ...invocation, args };
  const key = keyOf(inner);
  const { r, w, strict } = quorumOf(inner);
  const started = performance.now();
  const text = await withClient(inner, async (client) => {
    const bucket = bucketOf(client, inner);
    if (verb === "get") return (await bucket.get(key, { r, strict, trace: true })).trace;
    const value = await readValue(inner, valueBytesMax);
    const { context } = await bucket.get(key, { strict });
    return (await bucket.put(key, value, { context, w, strict, trace: true })).trace;
  });
  const steps = JSON.parse(text ?? "[]") as readonly Step[];
  const lines = steps.map(
    ({ atMs, node, what }) => `${atMs.toFixed(2).padStart(8)} ms  node ${node}  ${what}\n`,
  );
  const whole = (performance.now() - started).toFixed(2);
  const summary = `${whole.padStart(8)} ms  with connecting, as kvctl saw it\n`;
  await invocation.output.result({ steps }, `${lines.join("")}${summary}`);
  return exits.ok;
}
