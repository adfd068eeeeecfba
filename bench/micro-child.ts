/** Runs one micro suite, named by the argument, in this process alone, and sends its results. */
import { microSuites } from "./core/micro-suites.ts";
import { send, serve } from "./parent.ts";
import { runMicroSuite } from "./suite.ts";

serve(async (name: string) => {
  const suite = microSuites.find((candidate) => candidate.name === name);
  if (suite === undefined) throw new Error(`there is no micro suite named ${name}`);
  await send(await runMicroSuite(suite));
});
