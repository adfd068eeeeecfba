/** When a call asks a second node beside the first, and when not. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  administering,
  asking,
  getting,
  pass,
  putting,
  scanning,
  turn,
  watch,
  world,
} from "./fake-lines.ts";
import { found, stored } from "./fake-node.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  vi.advanceTimersByTime(1000);
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a second node", () => {
  test("is asked after an unusually long wait, and the first is then avoided", async () => {
    const { calls, lines } = world(2);
    const end = watch(calls.run(asking(getting)));
    lines[0].heardAt = performance.now();
    await pass(20);
    expect(lines[1].sent.length).toBe(0);
    await pass(10);
    expect(lines[1].sent.length).toBe(1);
    expect(lines[0].avoidUntil).toBeGreaterThan(performance.now() + 400);
    lines[1].answer(found("second"));
    await turn();
    expect(end.result).toEqual(found("second"));
    expect(lines[0].forgotten).toEqual([1]);
  });

  test("is asked later where answers take longer, and not at all if so chosen", async () => {
    const { calls, lines } = world(2);
    lines[0].latencyMs = 20;
    watch(calls.run(asking(getting)));
    lines[0].heardAt = performance.now();
    await pass(155);
    expect(lines[1].sent.length).toBe(0);
    await pass(10);
    expect(lines[1].sent.length).toBe(1);
    const without = world(2, { hedge: false });
    watch(without.calls.run(asking(getting)));
    without.lines[0].heardAt = performance.now();
    await pass(900);
    expect(without.lines[1].sent.length).toBe(0);
  });

  test("is asked for one call in twenty, beyond a first one", async () => {
    const { calls, lines } = world(2);
    lines[1].avoidUntil = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 60; i++) watch(calls.run(asking(getting)));
    lines[0].heardAt = performance.now();
    await pass(30);
    expect(lines[0].sent.length).toBe(60);
    expect(lines[1].sent.length).toBeGreaterThanOrEqual(3);
    expect(lines[1].sent.length).toBeLessThanOrEqual(4);
  });

  test("is asked whatever the budget, when the first has said nothing to anybody", async () => {
    const { calls, lines } = world(2, { hedge: false });
    for (let i = 0; i < 60; i++) watch(calls.run(asking(putting, { timeoutMs: 2000 })));
    await pass(490);
    expect(lines[1].sent.length).toBe(0);
    await pass(20);
    expect(lines[1].sent.length).toBe(60);
    expect(lines[0].avoidUntil).toBeGreaterThan(performance.now() + 1500);
    // Who begins now is not sent there.
    watch(calls.run(asking(getting)));
    expect([lines[0].sent.length, lines[1].sent.length]).toEqual([60, 61]);
  });

  test("never gets an operator's command, which may take long", async () => {
    const { calls, lines } = world(2);
    const end = watch(calls.run(asking(administering, { timeoutMs: 4000 })));
    await pass(4005);
    expect(lines[1].sent.length).toBe(0);
    expect(end.error).toMatchObject({ code: "READ_TIMEOUT", applied: "maybe" });
  });
});

describe("a node that says nothing at all", () => {
  test("has a request asked of another after 10 ms, and gets no more until it speaks", async () => {
    const { calls, lines } = world(2);
    const end = watch(calls.run(asking(putting)));
    await pass(5);
    expect(lines[1].sent.length).toBe(0);
    await pass(5);
    expect(lines[1].sent[0]?.command).toMatchObject({ operation: { nonce: 6, retried: true } });
    lines[1].answer(stored);
    await turn();
    expect(end.result).toEqual(stored);
    for (let i = 0; i < 10; i++) watch(calls.run(asking(getting)));
    expect([lines[0].sent.length, lines[1].sent.length]).toEqual([1, 11]);
    lines[0].speak();
    watch(calls.run(asking(getting)));
    expect(lines[0].sent.length).toBe(2);
  });

  test("has more time where answers take longer", async () => {
    const { calls, lines } = world(2);
    lines[0].latencyMs = 6;
    watch(calls.run(asking(getting)));
    await pass(20);
    expect(lines[1].sent.length).toBe(0);
    await pass(5);
    expect(lines[1].sent.length).toBe(1);
  });

  test("is sent one request in two seconds, which asks whether it is back", async () => {
    const { calls, lines } = world(2);
    for (let ms = 0; ms < 5_000; ms += 5) {
      watch(calls.run(asking(getting)));
      if (ms % 10 === 0) lines[1].speak();
      for (const at of lines[1].sent.keys()) lines[1].answer(found("value"), at);
      await pass(5);
    }
    // Two of the time until it was known to be mute, and one each at 2 and at 4 seconds.
    expect(lines[0].sent.length).toBe(4);
    expect(lines[0].forgotten.length).toBe(4);
  });

  test("has what was sent to it asked of another beyond the budget, 50 ms later", async () => {
    const { calls, lines } = world(2);
    for (let i = 0; i < 60; i++) watch(calls.run(asking(getting)));
    await pass(55);
    expect(lines[1].sent.length).toBeLessThanOrEqual(4);
    lines[1].speak();
    await pass(10);
    expect(lines[1].sent.length).toBe(60);
  });

  test("is not held to be frozen where nobody else speaks either", async () => {
    const { calls, lines } = world(3);
    for (let i = 0; i < 60; i++) watch(calls.run(asking(getting)));
    for (const line of lines) {
      if (line !== lines[0]) line.mutedAt = performance.now();
    }
    await pass(900);
    expect(lines.map(({ sent }) => sent.length)).toEqual([60, 0, 0]);
  });

  test("may take its time over a scan", async () => {
    const { calls, lines } = world(2);
    watch(calls.run(asking(scanning)));
    await pass(900);
    expect(lines[0].mutedAt).toBe(0);
    expect(lines[1].sent.length).toBe(0);
  });

  test("is not accused when this process was late itself", async () => {
    const { calls, lines } = world(2);
    watch(calls.run(asking(getting)));
    const began = performance.now();
    vi.spyOn(performance, "now").mockReturnValueOnce(began + 30);
    await pass(5);
    lines[0].speak();
    await pass(15);
    expect(lines[1].sent.length).toBe(0);
  });
});
