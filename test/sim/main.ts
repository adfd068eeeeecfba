/** `npm run sim`: random runs from the command line. See run.ts for what one is. */
import { parseArgs } from "node:util";
import { runSeed } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    /** So many seeds, from that one on. */
    seeds: { type: "string", default: "1" },
    nodes: { type: "string" },
    seconds: { type: "string", default: "60" },
    "until-event": { type: "string" },
  },
});
const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);
const first = Number(values.seed);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const began = performance.now();
  const eventsMax = numberOf(values["until-event"]);
  const options = { seed, nodes: numberOf(values.nodes), seconds: Number(values.seconds) };
  const { world, history, story, wrongs } = await runSeed({ ...options, eventsMax });
  const tookMs = performance.now() - began;
  const simulatedMs = world.timeline.now - world.timeline.start;
  if (wrongs.length > 0 || eventsMax !== undefined) print(story);
  for (const line of world.trace.lines) print(line);
  for (const wrong of wrongs) print(`WRONG ${wrong}`);
  const acked = history.filter(({ outcome }) => outcome === "acked").length;
  print(
    `seed ${seed}: ${wrongs.length === 0 ? "ok" : "FAILED"}, ${world.timeline.happened} events, ` +
      `${(simulatedMs / 1_000).toFixed(0)} s simulated in ${(tookMs / 1_000).toFixed(1)} s, ` +
      `${acked} of ${history.length} writes acknowledged, trace ${world.trace.digest()}`,
  );
  if (wrongs.length > 0) {
    print(`repeat with: npm run sim -- --seed ${seed} --seconds ${values.seconds}`);
    process.exitCode = 1;
    break;
  }
}
