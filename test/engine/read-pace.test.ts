/**
 * When reads may block the event loop: after a slow one, not until the disk is quick again.
 */
import { expect, test } from "vitest";
import type { Clock } from "../../native-free-engine/clock.ts";
import { ReadPace } from "../../native-free-engine/disk/read-pace.ts";

class FakeClock implements Clock {
  #time = 0;
  now(): number {
    return this.#time;
  }
  elapsed(): number {
    return this.#time;
  }
  sleep(): Promise<void> {
    return Promise.resolve();
  }
  pass(ms: number): void {
    this.#time += ms;
  }
}

function make(startsSlow = false) {
  const clock = new FakeClock();
  const pace = new ReadPace(clock, { startsSlow });
  const readSync = (ms: number) => {
    const begun = pace.begin();
    clock.pass(ms);
    pace.end(begun);
  };
  const read = (ms: number) => pace.timed(async () => clock.pass(ms));
  return { clock, pace, readSync, read };
}

test("quick reads stay synchronous, one slow read ends that", () => {
  const { pace, readSync } = make();
  for (let i = 0; i < 10; i++) readSync(1.9);
  expect(pace.synchronous()).toBe(true);
  readSync(2.1);
  expect(pace.synchronous()).toBe(false);
});

test("three quick reads in a row make reads synchronous again", async () => {
  const { pace, readSync, read } = make();
  readSync(5);
  for (const ms of [0.1, 0.1, 3, 0.1, 0.1]) {
    await read(ms);
    expect(pace.synchronous()).toBe(false);
  }
  await read(0.1);
  expect(pace.synchronous()).toBe(true);
});

test("a cold open starts asynchronous, and its first quick read ends that", async () => {
  const { pace, read } = make(true);
  expect(pace.synchronous()).toBe(false);
  await read(8);
  expect(pace.synchronous()).toBe(false);
  for (let i = 0; i < 3; i++) await read(0.1);
  expect(pace.synchronous()).toBe(true);
  const warm = make(true);
  await warm.read(0.1);
  expect(warm.pace.synchronous()).toBe(true);
});

test("a read that waited behind others in the pool is not called slow for it", async () => {
  const { clock, pace, readSync } = make();
  readSync(5);
  const releases: (() => void)[] = [];
  const reads = Array.from({ length: 12 }, () =>
    pace.timed(() => new Promise<void>((resolve) => releases.push(resolve))),
  );
  // Four threads: what waited for one took up to a millisecond more than its own read.
  clock.pass(1.5);
  for (const release of releases.slice(4, 7)) release();
  await Promise.all(reads.slice(4, 7));
  expect(pace.synchronous()).toBe(true);
  for (const release of releases) release();
  await Promise.all(reads);
});

test("a slow disk stays slow, however many read at once", async () => {
  const { clock, pace, readSync } = make();
  readSync(5);
  const releases: (() => void)[] = [];
  const reads = Array.from({ length: 40 }, () =>
    pace.timed(() => new Promise<void>((resolve) => releases.push(resolve))),
  );
  for (let wave = 0; wave < 10; wave++) {
    clock.pass(5);
    for (const release of releases.slice(4 * wave, 4 * wave + 4)) release();
    await Promise.all(reads.slice(4 * wave, 4 * wave + 4));
    expect(pace.synchronous()).toBe(false);
  }
});

test("a failed read says nothing, and its failure is passed on", async () => {
  const { pace, readSync } = make();
  readSync(5);
  for (let i = 0; i < 5; i++) {
    await expect(pace.timed(() => Promise.reject(new Error("EIO")))).rejects.toThrow("EIO");
  }
  expect(pace.synchronous()).toBe(false);
});
