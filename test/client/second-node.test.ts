/** When a call asks a second node beside the first, and when not. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { administering, asking, getting, pass, putting, turn, watch, world } from "./fake-lines.ts";
import { found } from "./fake-node.ts";

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
