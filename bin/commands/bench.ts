/**
 * kvctl bench: the benchmark suite, which reads its own arguments. It measures engines in databases
 * that it makes and removes itself, so it takes no --db; with -e it drives a cluster that runs.
 */
import { parseArgs } from "node:util";
import { credentialsOf } from "../cluster/credentials.ts";
import { usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";

const text = { type: "string" } as const;
const credentialFlags = {
  ...{ "token-file": text, "tls-ca": text, "tls-cert": text, "tls-key": text },
  tls: { type: "boolean" },
} as const;
/** Seen here, and left to the benchmark. */
const endpointsFlag = { endpoints: { type: "string", short: "e" } } as const;

export async function bench(invocation: Invocation): Promise<number> {
  const { db, endpoints, args, output } = invocation;
  if (db !== undefined) {
    throw usage("bench uses no database of yours", "put bench first, and a place behind --dir");
  }
  const named = endpoints === undefined ? [] : ["-e", endpoints];
  const { flags, rest } = withoutCredentials([...named, ...(args as readonly string[])]);
  const credentials = await credentialsFor(invocation, flags);
  const { runBench } = await import("../../bench/run.ts");
  let written = Promise.resolve();
  const print = (line: string): void => {
    written = written.then(() => output.write(`${line}\n`));
  };
  const code = await runBench(
    rest,
    { command: "kvctl bench", print, note: output.note },
    credentials,
  );
  await written;
  return code;
}

/** Only who talks to a cluster shows anything. */
function credentialsFor(
  invocation: Invocation,
  { endpoints, ...flags }: Readonly<Record<string, unknown>>,
): ReturnType<typeof credentialsOf> | undefined {
  if (typeof endpoints !== "string") return undefined;
  return credentialsOf({ ...invocation, endpoints, options: flags });
}

/** What kvctl itself reads of the arguments, and all the others as they were. */
function withoutCredentials(args: readonly string[]): {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly rest: readonly string[];
} {
  const { tokens } = parseArgs({
    ...{ args: [...args], options: { ...credentialFlags, ...endpointsFlag } },
    ...{ strict: false, tokens: true, allowPositionals: true },
  });
  const taken = new Set<number>();
  const flags: Record<string, unknown> = {};
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const name = token.name.replace(/-(.)/, (_, letter: string) => letter.toUpperCase());
    if (name === "endpoints") flags[name] = token.value;
    if (!Object.hasOwn(credentialFlags, token.name)) continue;
    flags[name] = token.value ?? true;
    taken.add(token.index);
    if (token.value !== undefined && !token.inlineValue) taken.add(token.index + 1);
  }
  return { flags, rest: args.filter((_, at) => !taken.has(at)) };
}
