/** restore: a node's directory of a checkpoint, for that node or in a cluster of its own. */
import { exits, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";

const labelCharactersMax = 64;

export async function restore(invocation: Invocation): Promise<number> {
  const { args, options, output } = invocation;
  const { data, whole } = options;
  if (typeof data !== "string") throw usage("where to? name the directory with --data DIR");
  if (whole !== undefined && !isLabel(whole)) {
    throw usage(`--whole is a label of 1 to ${labelCharactersMax} letters, digits, '-', '_', '.'`);
  }
  const addresses = addressesIn(options["addresses"]);
  if (addresses !== undefined && whole === undefined) {
    throw usage("--addresses goes with --whole", "one node comes back where it was");
  }
  const { restoreNode } = await import("../../src/index.ts");
  const checkpoint = args[0] ?? "";
  const restored = await restoreNode({ checkpoint, data, whole: whole as string, addresses });
  const { id, clusterId, address } = restored;
  const text =
    `node ${id} of cluster ${clusterId.slice(0, 8)} is in ${data}\n` +
    `start it with kvctl serve --data ${data} --listen ${address}\n`;
  await output.result(restored, text);
  return exits.ok;
}

function isLabel(text: unknown): boolean {
  return typeof text === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(text);
}

function addressesIn(text: unknown): ReadonlyMap<number, string> | undefined {
  if (typeof text !== "string") return undefined;
  const addresses = new Map<number, string>();
  for (const part of text.split(",")) {
    const found = /^([1-9]\d{0,8})=(\S+:\d{1,5})$/.exec(part.trim());
    if (found === null) throw usage(`--addresses takes NUMBER=HOST:PORT, got ${part.trim()}`);
    addresses.set(Number(found[1]), found[2] ?? "");
  }
  return addresses;
}
