/**
 * Every byte of every file of a database, changed one at a time: whatever is asked then gets the
 * right answer, or an error that names file and offset. The one exception is the tail of the newest
 * logs of a database that was killed, behind the last place that is proven to have been durable:
 * there a prefix of the writes is right too.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Damage, judge } from "../../support/damage-judge.ts";
import {
  buildSample,
  filesOf,
  recordsOf,
  type Sample,
  type SampleShape,
} from "../../support/damage-samples.ts";

interface Sweep extends SampleShape {
  /** How to read each kind of file, and with which bits of each byte flipped. */
  readonly kinds: Readonly<Record<string, readonly Way[]>>;
}

interface Way {
  readonly readOnly: boolean | ((at: number) => boolean);
  readonly mask: (at: number) => number;
}

const oneBit = (at: number) => 1 << (at % 8);
const allBits = () => 0xff;
const reader = { readOnly: true, mask: oneBit };
const readerOfAll = { readOnly: true, mask: allBits };
const writer = { readOnly: false, mask: allBits };
/** Each byte once: what one of two samples shows a reader, the other shows a writer. */
const inTurns = (turn: number): Sweep["kinds"] => {
  const ways = [{ readOnly: (at: number) => at % 2 === turn, mask: turn === 0 ? oneBit : allBits }];
  return { log: ways, manifest: ways, current: [reader, writer] };
};

const sweeps: readonly Sweep[] = [
  {
    ...{ name: "closed", closes: true, syncs: "never", logs: true },
    kinds: { table: [reader], ...inTurns(0) },
  },
  {
    ...{ name: "killed", closes: false, syncs: "often", logs: true },
    kinds: { table: [readerOfAll], ...inTurns(1) },
  },
  { name: "closed, a sync", closes: true, syncs: "once", logs: true, kinds: { log: [writer] } },
  { name: "killed, no sync", closes: false, syncs: "never", logs: true, kinds: { log: [reader] } },
  { name: "killed, a sync", closes: false, syncs: "once", logs: true, kinds: { log: [writer] } },
  { name: "flushed", closes: true, syncs: "never", logs: false, kinds: { manifest: [reader] } },
];

const { stackTraceLimit } = Error;

beforeAll(() => {
  // Every flip that is noticed is an error whose stack nobody reads.
  Error.stackTraceLimit = 0;
});

afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

test("closed and killed share their tables, whose bytes are flipped in both ways", async () => {
  const tables = async (sweep: Sweep) => {
    const files = filesOf((await buildSample(sweep)).disk).filter(({ kind }) => kind === "table");
    return files.map(({ file, bytes }) => [file, Buffer.from(bytes).toString("hex")]);
  };
  const swept = sweeps.filter(({ kinds }) => kinds["table"] !== undefined);
  const [closed = [], killed = []] = await Promise.all(swept.map(tables));
  expect(closed.length).toBeGreaterThan(2);
  expect(killed).toEqual(closed);
});

for (const sweep of sweeps) {
  for (const [kind, ways] of Object.entries(sweep.kinds)) {
    test(`no flipped byte of a ${kind} makes a wrong answer (${sweep.name})`, async () => {
      const sample = await buildSample(sweep);
      const flipped = await flipAll(sample, kind, ways);
      expect(flipped.findings).toEqual([]);
      expect(flipped.flips).toBeGreaterThan(kind === "current" ? 40 : 1000);
    }, 300_000);
  }
}

async function flipAll(sample: Sample, kind: string, ways: readonly Way[]) {
  const records = recordsOf(sample.disk);
  const findings: string[] = [];
  let flips = 0;
  for (const { file, kind: found, bytes } of filesOf(sample.disk)) {
    if (found !== kind) continue;
    for (let at = 0; at < bytes.length; at++) {
      for (const { readOnly, mask } of ways) {
        const damage = flip(file, bytes, at, mask(at));
        const isReader = typeof readOnly === "function" ? readOnly(at) : readOnly;
        const own = await judge(sample, records, damage, { readOnly: isReader });
        flips += 1;
        for (const what of own) findings.push(`${file} byte ${at} ^ ${mask(at)}: ${what}`);
        if (findings.length > 20) return { findings, flips };
      }
    }
  }
  return { findings, flips };
}

function flip(file: string, original: Uint8Array, at: number, mask: number): Damage {
  const bytes = original.slice();
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  return { file, bytes, from: at, to: at + 1 };
}
