/**
 * demo --cart: the shopping cart that Dynamo was made for. Ann's phone and laptop both read her
 * cart and change it without knowing of each other. A list merged by union brings back what she
 * took out; an OR-Set does not.
 */
import { join } from "node:path";
import {
  type Bucket,
  connect,
  fromSiblings,
  type OrSet,
  orSet,
  resolvers,
  startNode,
} from "../../src/index.ts";
import { exits } from "../exit.ts";
import { makeScratch } from "../files.ts";
import type { Invocation } from "../invocation.ts";

const decoder = new TextDecoder();

export async function cartDemo({ output }: Invocation): Promise<number> {
  const scratch = makeScratch();
  const node = await startNode({ data: join(scratch.path, "node"), listen: "127.0.0.1:0", n: 1 });
  try {
    const client = await connect(node.address);
    const union = await unionCart(client.bucket("lists"));
    const set = await orSetCart(client.bucket("sets"));
    await client.close();
    const text =
      "Ann has a book and a pen in her cart. Her phone takes the pen out while her laptop adds a " +
      "lamp:\ntwo siblings, which one merge makes one value again.\n\n" +
      `  a list, merged by union:  ${union.join(", ")}    (the pen is back)\n` +
      `  an OR-Set:                ${set.join(", ")}\n`;
    await output.result({ union, orSet: set }, text);
    const isAsTold = union.includes("pen") && !set.includes("pen") && set.includes("lamp");
    return isAsTold ? exits.ok : exits.failure;
  } finally {
    await node.close();
    scratch.remove();
  }
}

async function unionCart(carts: Bucket): Promise<readonly string[]> {
  const list = (...items: readonly string[]): string => JSON.stringify(items);
  await carts.put("ann", list("book", "pen"));
  const [phone, laptop] = await Promise.all([carts.get("ann"), carts.get("ann")]);
  await carts.put("ann", list("book"), { context: phone.context });
  await carts.put("ann", list("book", "pen", "lamp"), { context: laptop.context });
  const { values, written } = await carts.get("ann");
  const siblings = values.map((value, i) => ({ time: 0, actor: "", ...written[i], value }));
  return JSON.parse(decoder.decode(resolvers.union(siblings)));
}

async function orSetCart(carts: Bucket): Promise<readonly string[]> {
  const cartIn = (values: readonly Uint8Array[]): OrSet =>
    fromSiblings<OrSet>(orSet, values) ?? orSet.empty;
  await carts.put("ann", orSet.encode(orSet.add(orSet.add(orSet.empty, "book"), "pen")));
  const [phone, laptop] = await Promise.all([carts.get("ann"), carts.get("ann")]);
  const less = orSet.remove(cartIn(phone.values), "pen");
  const more = orSet.add(cartIn(laptop.values), "lamp");
  await carts.put("ann", orSet.encode(less), { context: phone.context });
  await carts.put("ann", orSet.encode(more), { context: laptop.context });
  await carts.update("ann", (values) => orSet.encode(cartIn(values)));
  return orSet.items(cartIn((await carts.get("ann")).values));
}
