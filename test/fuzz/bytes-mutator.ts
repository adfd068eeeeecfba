/**
 * Changes to bytes whose structure is known in part: lengths and numbers become what they never
 * are, stretches come from another sample, sectors change places, ends are cut off or stuck on.
 */
import { writeU32, writeU64 } from "../../native-free-engine/base/bytes.ts";
import { mutate } from "../support/fuzz.ts";
import { pick } from "../support/random.ts";

/** Where a number stands in a sample. */
export interface Field {
  readonly at: number;
  readonly end: number;
  readonly form: "varint" | "u32" | "u64";
}

export interface Sample {
  readonly bytes: Uint8Array;
  readonly fields: readonly Field[];
}

const u32s = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0xffffffff];
const u64s = [0, 1, 0xffffffff, 2 ** 32, 2 ** 48, Number.MAX_SAFE_INTEGER];
const varints = [
  ...[0, 1, 2, 0x7f, 0x80, 0x3fff, 0x4000, 0xffff, 0x10000, 0x10001, 2 ** 28 - 1, 2 ** 28],
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1, 2 ** 48],
  ...[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 2 ** 53],
].map(varintOf);
/** No number of ours is written so: in too many bytes, or too large for any. */
const oddVarints = [
  [0x80, 0x00],
  [0xff, 0x80, 0x00],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10],
];
const sectors = [16, 64, 512];

export function mutateSample(random: () => number, samples: readonly Sample[]): Uint8Array {
  const sample = sampleOf(random, samples);
  switch (pick(random, 10)) {
    case 0:
      return sample.bytes.slice(0, placeIn(random, sample));
    case 1:
      return joined(sample.bytes, sampleOf(random, samples).bytes);
    case 2:
      return withSectorsSwapped(random, sample.bytes);
    case 3:
      return withStretchOf(random, sample, sampleOf(random, samples));
    case 4:
    case 5:
      return mutate(random, sample.bytes);
    default:
      return withFieldsChanged(random, sample);
  }
}

export function sampleOf(random: () => number, samples: readonly Sample[]): Sample {
  const sample = samples[pick(random, samples.length)];
  if (sample === undefined) throw new Error("there are no samples");
  return sample;
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** One to three numbers; from the last to the first, since each may change its length. */
function withFieldsChanged(random: () => number, { bytes, fields }: Sample): Uint8Array {
  if (fields.length === 0) return mutate(random, bytes);
  const chosen = Array.from({ length: 1 + pick(random, 3) }, () => pick(random, fields.length));
  let changed = bytes;
  for (const index of [...new Set(chosen)].sort((a, b) => b - a)) {
    const field = fields[index];
    if (field === undefined) continue;
    if (field.form === "varint") changed = withVarint(random, changed, field);
    else {
      changed = changed.slice();
      if (field.form === "u32") writeU32(changed, field.at, u32s[pick(random, u32s.length)] ?? 0);
      else writeU64(changed, field.at, u64s[pick(random, u64s.length)] ?? 0);
    }
  }
  return changed;
}

function withVarint(random: () => number, bytes: Uint8Array, { at, end }: Field): Uint8Array {
  const old = bytes[at] ?? 0;
  const kind = pick(random, 8);
  const next =
    kind < 3 && old < 0x7f
      ? // One more or less is what a mistake in counting would be.
        [[old + 1], [Math.max(0, old - 1)], [Math.min(0x7f, 2 * old)]][kind]
      : kind === 7
        ? oddVarints[pick(random, oddVarints.length)]
        : varints[pick(random, varints.length)];
  return joined(bytes.subarray(0, at), Uint8Array.from(next ?? [0]), bytes.subarray(end));
}

function withSectorsSwapped(random: () => number, original: Uint8Array): Uint8Array {
  const size = sectors[pick(random, sectors.length)] ?? 16;
  const count = Math.floor(original.length / size);
  const bytes = original.slice();
  if (count < 2) return bytes.reverse();
  const a = size * pick(random, count);
  const b = size * pick(random, count);
  bytes.set(original.subarray(b, b + size), a);
  // A sector may also stand in two places, as after a write that went astray.
  if (random() < 0.7) bytes.set(original.subarray(a, a + size), b);
  return bytes;
}

/** From one place that means something to another, as another sample has it. */
function withStretchOf(random: () => number, sample: Sample, other: Sample): Uint8Array {
  const [a, b] = stretchIn(random, sample);
  const [c, d] = stretchIn(random, other);
  const { bytes } = sample;
  return joined(bytes.subarray(0, a), other.bytes.subarray(c, d), bytes.subarray(b));
}

function stretchIn(random: () => number, sample: Sample): readonly [number, number] {
  const ends = [placeIn(random, sample), placeIn(random, sample)];
  return [Math.min(...ends), Math.max(...ends)];
}

/** Where a field begins, mostly. */
function placeIn(random: () => number, { bytes, fields }: Sample): number {
  const field = fields[pick(random, fields.length)];
  return field === undefined || random() < 0.2 ? pick(random, bytes.length + 1) : field.at;
}

function varintOf(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}
