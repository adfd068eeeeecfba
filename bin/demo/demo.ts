/** demo: the cluster's story, with --embedded that of the engine, with --cart that of a cart. */
import type { Invocation } from "../invocation.ts";

export async function demo(invocation: Invocation): Promise<number> {
  if (invocation.options["embedded"] === true) {
    return (await import("./embedded.ts")).embeddedDemo(invocation);
  }
  if (invocation.options["cart"] === true) return (await import("./cart.ts")).cartDemo(invocation);
  return (await import("./cluster/cluster-demo.ts")).clusterDemo(invocation);
}
