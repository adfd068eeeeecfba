/** demo: the cluster's story, or with --embedded that of the engine alone. */
import type { Invocation } from "../invocation.ts";

export async function demo(invocation: Invocation): Promise<number> {
  if (invocation.options["embedded"] === true) {
    return (await import("./embedded.ts")).embeddedDemo(invocation);
  }
  return (await import("./cluster/cluster-demo.ts")).clusterDemo(invocation);
}
