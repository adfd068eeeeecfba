/**
 * `npm run fuzz -- [--inputs N] [--seed S] [--decoder NAME…] [--input I]`: N mutated inputs, shared
 * out among all decoders or those that are named. With --input only that one, and what it is.
 */
import { parseArgs } from "node:util";
import { decoders, inputsOf } from "./decoders.ts";
import { type Decoder, fuzz } from "./trial.ts";
import { startWatchdog } from "./watchdog.ts";

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "2000000" },
    seed: { type: "string", default: "1" },
    decoder: { type: "string", multiple: true },
    input: { type: "string" },
  },
});
const seed = Number(values.seed);
const all = Number(values.inputs);
const named = decoders.filter(({ name }) => values.decoder?.includes(name) ?? true);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

if (named.length === 0 || !Number.isSafeInteger(seed) || !(all > 0)) {
  print(`there are ${decoders.map(({ name }) => name).join(", ")}`);
  process.exitCode = 2;
}
let inputs = 0;
for (const decoder of named) {
  if (process.exitCode !== undefined) break;
  inputs += await run(decoder);
}
if (process.exitCode === undefined) print(`fuzz: ${inputs} inputs, seed ${seed}: ok`);

async function run(decoder: Decoder): Promise<number> {
  const share = values.decoder === undefined ? inputsOf(decoder, all) : all / named.length;
  const one = values.input === undefined ? undefined : Number(values.input);
  const watchdog = startWatchdog(`npm run fuzz -- --decoder ${decoder.name} --seed ${seed}`);
  const began = process.cpuUsage();
  try {
    const work = { seed, inputs: one === undefined ? Math.ceil(share) : 1, from: one, watchdog };
    const { taken, slowestMs, grownBytesMax, ...tally } = await fuzz(decoder, work);
    const { user, system } = process.cpuUsage(began);
    print(
      `${decoder.name.padEnd(18)} ${String(tally.inputs).padStart(9)} inputs, ` +
        `${((100 * taken) / tally.inputs).toFixed(1).padStart(5)} % taken, ` +
        `${((user + system) / tally.inputs).toFixed(1).padStart(7)} µs each, ` +
        `slowest ${slowestMs.toFixed(1)} ms, memory +${(grownBytesMax / 2 ** 20).toFixed(1)} MiB`,
    );
    return tally.inputs;
  } catch (error) {
    print(`FAILED ${error instanceof Error ? error.message : String(error)}`);
    const cause = error instanceof Error ? error.cause : undefined;
    print(cause instanceof Error ? `${cause.stack}` : String(cause ?? ""));
    process.exitCode = 1;
    return 0;
  } finally {
    await watchdog.close();
  }
}
