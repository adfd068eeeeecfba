/** Who is told that a write is durable, and when, while logs change under a running sync. */
import { expect, test } from "vitest";
import { type Deferred, defer } from "../../native-free-engine/deferred.ts";
import { LogSyncs } from "../../native-free-engine/log-syncs.ts";
import type { Segment } from "../../native-free-engine/segment.ts";

/** A log whose syncs end when the test says so. */
function slowSegment(firstSequence: number) {
  const running: Deferred[] = [];
  const log = {
    written: 0,
    sync: (): Promise<void> => {
      const deferred = defer();
      running.push(deferred);
      return deferred.promise;
    },
  };
  const segment = { memtable: { firstSequence }, log } as unknown as Segment;
  return { segment, log, running };
}

function world() {
  let durable = 0;
  const syncs = new LogSyncs({
    steps: {
      markDurable: (sequence) => {
        durable = Math.max(durable, sequence);
      },
      durableSequence: () => durable,
    },
    clock: { elapsed: () => 0 } as never,
    turn: { isOver: () => false } as never,
    pace: { isQuick: () => false, note: () => {} } as never,
    onFailure: (error) => {
      throw error;
    },
  });
  const write = (of: ReturnType<typeof slowSegment>, bytes: number): Promise<void> => {
    of.log.written += bytes;
    syncs.written(of.segment);
    const deferred = defer();
    syncs.wait(of.segment.memtable.firstSequence + of.log.written, deferred);
    return deferred.promise;
  };
  return { syncs, write, durable: () => durable };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a write into the new log while the old one is synced is acknowledged", async () => {
  const { write, durable } = world();
  const [old, next] = [slowSegment(0), slowSegment(100)];
  const acknowledged: string[] = [];
  const note = (name: string) => (): void => void acknowledged.push(name);
  void write(old, 10).then(note("first"));
  // While that sync runs, the log is full and another one begins.
  void write(old, 90).then(note("second"));
  void write(next, 10).then(note("third"));
  old.running[0]?.resolve();
  await turn();
  expect([acknowledged, durable()]).toEqual([["first"], 10]);
  // Now both logs are on the list; this comes while the older one is synced again.
  void write(next, 10).then(note("fourth"));
  old.running[1]?.resolve();
  await turn();
  expect([acknowledged, durable()]).toEqual([["first", "second"], 100]);
  next.running[0]?.resolve();
  await turn();
  expect([acknowledged, durable()]).toEqual([["first", "second", "third", "fourth"], 120]);
});

test("what is written into a log during its own sync waits for the next one", async () => {
  const { write, durable } = world();
  const log = slowSegment(0);
  const acknowledged: string[] = [];
  void write(log, 10).then(() => acknowledged.push("first"));
  void write(log, 10).then(() => acknowledged.push("second"));
  log.running[0]?.resolve();
  await turn();
  expect([acknowledged, durable()]).toEqual([["first"], 10]);
  log.running[1]?.resolve();
  await turn();
  expect([acknowledged, durable()]).toEqual([["first", "second"], 20]);
});
