/** What `npm run bench` starts. */
import { runBench } from "./run.ts";

process.exitCode = await runBench(process.argv.slice(2), {
  command: "npm run bench --",
  print: (text) => void process.stdout.write(`${text}\n`),
  note: (line) => void process.stderr.write(`${line}\n`),
});
