/** The tests of one half of all decoders: two files, so that they run beside each other. */
import { describe, expect, test } from "vitest";
import { seed } from "../support/random.ts";
import { inputsOf } from "./decoders.ts";
import { type Decoder, fuzz } from "./trial.ts";
import { startWatchdog } from "./watchdog.ts";

/** Of all decoders together, in `npm test`. */
const all = Number(process.env["FUZZ_INPUTS"] ?? 2_000_000);

export function fuzzEach(decoders: readonly Decoder[]): void {
  describe("takes what makes sense, and refuses the rest as promised", () => {
    test.each(decoders)("$name", { timeout: 300_000 }, async (decoder) => {
      const inputs = inputsOf(decoder, all);
      const watchdog = startWatchdog(`npm run fuzz -- --decoder ${decoder.name} --seed ${seed}`);
      try {
        const tally = await fuzz(decoder, { seed, inputs, watchdog });
        expect(tally.inputs).toBe(inputs);
        // Where all is refused, or all taken, mutations put nothing to the test.
        expect(tally.taken).toBeGreaterThan(inputs / 500);
        expect(tally.taken).toBeLessThan(inputs * 0.98);
      } finally {
        await watchdog.close();
      }
    });
  });
}
