/**
 * Every file of a database, cut to every length: the right answer, or an error that names file and
 * offset; in the newest logs of a database that was killed, a prefix of the writes is right too.
 */
import { expect, test } from "vitest";
import { judge } from "../../support/damage-judge.ts";
import { buildSample, filesOf, recordsOf, type Sample } from "../../support/damage-samples.ts";

const common = ["log", "manifest", "current"];
const samples = [
  { name: "closed", closes: true, syncs: "never", logs: true, kinds: ["table", ...common] },
  // Its tables are those of the other, to the byte (flips.test.ts).
  { name: "killed", closes: false, syncs: "often", logs: true, kinds: common },
  { name: "closed, with a sync", closes: true, syncs: "once", logs: true, kinds: ["log"] },
  { name: "killed, without syncs", closes: false, syncs: "never", logs: true, kinds: ["log"] },
  { name: "flushed", closes: true, syncs: "never", logs: false, kinds: ["manifest"] },
  { name: "flushed and killed", closes: false, syncs: "often", logs: false, kinds: ["manifest"] },
] as const;

for (const { kinds, ...how } of samples) {
  for (const kind of kinds) {
    test(`no shortened ${kind} makes a wrong answer (${how.name})`, async () => {
      const sample = await buildSample(how);
      const cut = await cutAll(sample, kind);
      expect(cut.findings).toEqual([]);
      expect(cut.cuts).toBeGreaterThan(kind === "current" ? 20 : 1000);
    }, 300_000);
  }
}

async function cutAll(sample: Sample, kind: string) {
  const records = recordsOf(sample.disk);
  const findings: string[] = [];
  let cuts = 0;
  for (const { file, kind: found, bytes } of filesOf(sample.disk)) {
    if (found !== kind) continue;
    for (let length = 0; length < bytes.length; length++) {
      const damage = { file, bytes: bytes.slice(0, length), from: length, to: bytes.length };
      const readOnly = length % 2 === 0;
      const own = await judge(sample, records, damage, { readOnly });
      cuts += 1;
      for (const what of own) findings.push(`${file} cut to ${length} bytes: ${what}`);
      if (findings.length > 20) return { findings, cuts };
    }
  }
  return { findings, cuts };
}
