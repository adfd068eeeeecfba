/** Runs one micro suite, named by the argument, in this process alone, and sends its results. */
import { microSuites } from "./core/micro-suites.ts";
import { runMicroSuite } from "./suite.ts";

async function main(name: string | undefined): Promise<void> {
  const suite = microSuites.find((candidate) => candidate.name === name);
  if (suite === undefined) throw new Error(`there is no micro suite named ${name}`);
  process.send?.(await runMicroSuite(suite));
}

main(process.argv[2]).then(
  () => process.disconnect(),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
