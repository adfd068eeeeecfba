/** serve: one node of a cluster, until it is told to stop. */
import { exits } from "../exit.ts";
import type { Invocation } from "../invocation.ts";

export async function serve(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  // Whatever the node writes holds data or secrets, and is for its owner alone.
  process.umask(0o077);
  const { serveNode } = await import("../../src/serve.ts");
  const { config, json: _, ...flags } = options;
  const file = typeof config === "string" ? config : undefined;
  const node = await serveNode({ file, environment: process.env, flags });
  const { address, id } = node;
  // Certificates, secrets and tokens that changed are seen soon anyway; this is for now.
  process.on("SIGHUP", () => node.reload());
  const stopped = firstSignal(invocation);
  if (node.state === "joining") {
    await output.result({ ready: false, address, id }, `node ${id} waits at ${address}\n`);
    output.note(waitsText(options));
  }
  void node.joined.then(() =>
    output.result({ ready: true, address, id }, `node ${id} is ready at ${address}\n`),
  );
  const signal = await Promise.race([stopped, node.died, node.left.then(() => "left" as const)]);
  // Its disk failed: it has closed itself, and whoever watches it may start it again.
  if (typeof signal !== "string") throw signal;
  if (signal === "left") {
    output.note(`node ${id} has left the cluster; its directory is of no further use`);
    await node.close();
    return exits.ok;
  }
  // A log that programs read holds nothing but JSON.
  if (output.canRedraw) output.note(`${signal}: finishing; once more ends it at once`);
  await node.close();
  return signal === "SIGINT" ? exits.interrupted : exits.ok;
}

function waitsText({ join }: Readonly<Record<string, unknown>>): string {
  const place = typeof join === "string" ? join : "NODE";
  return (
    `it waits to be let in: kvctl -e ${place} plan shows what that would do, ` +
    "kvctl commit does it, kvctl abort takes it back"
  );
}

/** A second signal ends the process at once: its log is made to be cut off anywhere. */
function firstSignal(invocation: Invocation): Promise<"SIGINT" | "SIGTERM"> {
  return new Promise((resolve) => {
    const stop = (signal: "SIGINT" | "SIGTERM"): void => {
      const force = (): void => process.exit(exits.interrupted);
      invocation.onInterrupt(force);
      process.off("SIGTERM", onTerminate).on("SIGTERM", force);
      resolve(signal);
    };
    const onTerminate = (): void => stop("SIGTERM");
    process.on("SIGTERM", onTerminate);
    invocation.onInterrupt(() => stop("SIGINT"));
  });
}
