/**
 * A sample of the sweep over every block of every file of one node, each flipped, zeroed, and
 * overwritten by another. `npm run sweep` does all of them.
 */
import { expect, test } from "vitest";
import { type BlockFault, blockBytes, Sweep } from "./sweep.ts";

const isWhole = process.env["SWEEP"] === "all";
const seed = Number(process.env["SEED"] ?? 1);
/** Of each file so many blocks, spread over it. */
const blocksMax = isWhole ? Number.POSITIVE_INFINITY : 4;

function sampled(faults: readonly BlockFault[]): readonly BlockFault[] {
  const blocks = new Map<string, number>();
  for (const { path, block } of faults) {
    blocks.set(path, Math.max(blocks.get(path) ?? 0, block + 1));
  }
  return faults.filter(({ path, block }) => {
    const step = Math.max(1, Math.floor((blocks.get(path) ?? 1) / blocksMax));
    return block % step === seed % step;
  });
}

test("one bad block of one node is repaired or reported, never spread, never shown", async () => {
  const sweep = await Sweep.prepare(seed);
  const faults = sampled(sweep.faults);
  const kinds = new Set(sweep.faults.map(({ path }) => path.replace(/^.*[/.-]|\d+/g, "")));
  expect([...kinds].sort()).toEqual(["CURRENT", "", "log", "sst"].sort());
  const wrongs: string[] = [];
  let [refused, reported] = [0, 0];
  for (const fault of faults) {
    const verdict = await sweep.judge(fault);
    wrongs.push(...verdict.wrongs);
    if (verdict.isRefused) refused += 1;
    else if (verdict.isReported) reported += 1;
  }
  const counts = `${faults.length} faults in blocks of ${blockBytes} bytes`;
  process.stdout.write(`${counts}: ${refused} refused, ${reported} served and reported\n`);
  expect(wrongs, `SEED=${seed}`).toEqual([]);
  expect(refused).toBeGreaterThan(0);
  expect(reported).toBeGreaterThan(0);
}, 3_600_000);
