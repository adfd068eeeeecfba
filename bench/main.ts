/** What `npm run bench` starts. */
import { runBench } from "./run.ts";

process.exitCode = await runBench(process.argv.slice(2));
