/**
 * kvctl bench: the benchmark suite, which reads its own arguments. It measures engines in databases
 * that it makes and removes itself, so it takes no --db.
 */
import { usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";

export async function bench({ db, args, output }: Invocation): Promise<number> {
  if (db !== undefined) {
    throw usage("bench uses no database of yours", "put bench first, and a place behind --dir");
  }
  const { runBench } = await import("../../bench/run.ts");
  let written = Promise.resolve();
  const code = await runBench(args as readonly string[], {
    command: "kvctl bench",
    print: (text) => {
      written = written.then(() => output.write(`${text}\n`));
    },
    note: output.note,
  });
  await written;
  return code;
}
