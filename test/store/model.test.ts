/**
 * Whatever is asked of the store, in whatever order, through crashes, reopenings and refused
 * writes: what it answered is there, sums and counts fit, and no dot is given out twice or claims
 * what is not so. SEED and SEEDS choose.
 */
import { describe, test } from "vitest";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { pick, randomFrom, seed } from "../support/random.ts";
import { modelPartitions, modelTargets, StoreModel } from "./store-model.ts";

const seeds = Number(process.env["SEEDS"] ?? 6);
const steps = 250;
const timeoutMs = 10_000 + seeds * 2_000;

describe(`against a model, from seed ${seed}`, () => {
  test(
    "with crashes and reopenings",
    async () => {
      for (let i = 0; i < seeds; i++) await play(seed + i, { refusals: 0 });
    },
    timeoutMs,
  );

  test(
    "and with writes that the disk has no room for",
    async () => {
      for (let i = 0; i < seeds; i++) await play(seed + 1000 + i, { refusals: 0.1 });
    },
    timeoutMs,
  );
});

async function play(start: number, { refusals }: { refusals: number }): Promise<void> {
  const random = randomFrom(start);
  let mayRefuse = false;
  const model = new StoreModel(
    new MemoryDisk(),
    refusals === 0 ? undefined : () => mayRefuse && random() < refusals,
  );
  await model.open();
  mayRefuse = true;
  try {
    for (let step = 0; step < steps; step++) {
      mayRefuse = false;
      const isLong = await act(model, step, random, () => {
        mayRefuse = true;
      });
      if (isLong || random() < 0.15) await model.settle();
      else if (random() < 0.5) await Promise.resolve();
    }
    mayRefuse = false;
    await model.checkSums();
    await model.store.close();
    await model.engine.close();
  } catch (error) {
    throw new Error(`seed ${start}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

/** One thing; tells whether it stirred everything. */
async function act(
  model: StoreModel,
  step: number,
  random: () => number,
  allowRefusals: () => void,
): Promise<boolean> {
  const key = model.keys[pick(random, model.keys.length)]!;
  const other = model.keys[pick(random, model.keys.length)]!;
  // Which refused parts of a write to two copies a later one was built on is beyond the model.
  const pairs = model.refuses ? 0 : 1;
  const targets = [modelTargets.slice(0, 1), modelTargets.slice(1), modelTargets][
    pick(random, 2 + pairs)
  ]!;
  const text = `${step}`;
  const seen = random() < 0.6 ? model.contextOf(key) : { vector: [], dots: [], operations: [] };
  const chance = random() * 100;
  if (chance < 94) allowRefusals();
  if (chance < 35) model.write(key, seen, random() < 0.15 ? undefined : text, []);
  else if (chance < 50) model.write(key, seen, random() < 0.15 ? undefined : text, targets);
  else if (chance < 65) {
    const entries = key === other ? [key] : [key, other];
    model.merge(
      entries,
      entries.map((one) => model.foreign(one, `${text} from elsewhere`)),
    );
  } else if (chance < 75) model.keepHints(key, targets, model.foreign(key, `${text} for another`));
  else if (chance < 85) await model.deliver(targets[0]!, pick(random, 600) + 1);
  else if (chance < 88) await model.dropPartition(pick(random, modelPartitions));
  else if (chance < 94) return false;
  else if (chance < 96) await model.checkSums();
  else if (chance < 98) await model.reopen();
  else await model.crash([0, 0.5, 1][pick(random, 3)]!, random);
  return chance >= 94;
}
