/** rotate-context-key: contexts get a new key; those that the last one sealed are still taken. */
import { exits } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { askNode, withClient } from "./connection.ts";

export async function rotateContextKey(invocation: Invocation): Promise<number> {
  const rotated = await withClient(invocation, (client) =>
    askNode<{ readonly number: number }>(invocation, client, { name: "rotate-context-key" }),
  );
  await invocation.output.result(rotated, `contexts are sealed with key ${rotated.number} now\n`);
  if (!invocation.output.json) {
    invocation.output.note(
      "contexts that were read before are taken until the key is rotated once more",
    );
  }
  return exits.ok;
}
