/** Calls under way, against lines that a test holds in its hands, in a time that stands still. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Calls } from "../../src/client/calls.ts";
import { asking, getting, noToken, pass, putting, turn, watch, world } from "./fake-lines.ts";
import { found, refusal, stored } from "./fake-node.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  vi.advanceTimersByTime(1000);
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the deadline", () => {
  test("ends a call that nobody answers, and is told to the node a little shorter", async () => {
    const { calls, lines } = world(1);
    const end = watch(calls.run(asking(getting, { timeoutMs: 300 })));
    expect(lines[0].sent[0]?.command).toMatchObject({ deadlineMs: 270 });
    await pass(295);
    expect(end.error).toBe(undefined);
    await pass(10);
    expect(end.error).toMatchObject({ code: "READ_TIMEOUT", applied: "no" });
    expect(lines[0].forgotten).toEqual([1]);
  });

  test("leaves a write in doubt", async () => {
    const { calls } = world(1);
    const end = watch(calls.run(asking(putting, { timeoutMs: 300 })));
    await pass(305);
    expect(end.error).toMatchObject({ code: "WRITE_TIMEOUT", applied: "maybe" });
  });

  test("covers retries: what is left of it is what the next node gets", async () => {
    const { calls, lines } = world(2, { hedge: false });
    const end = watch(calls.run(asking(getting, { timeoutMs: 1000 })));
    await pass(200);
    lines[0].lose();
    expect(lines[1].sent[0]?.command).toMatchObject({ deadlineMs: 750 });
    await pass(805);
    expect(end.error).toMatchObject({ code: "READ_TIMEOUT" });
  });

  test("without any node names what was tried, and nothing was applied", async () => {
    const { calls, lines } = world(1);
    lines[0].isUsable = false;
    const end = watch(calls.run(asking(putting, { timeoutMs: 300 })));
    await pass(305);
    expect(end.error).toMatchObject({
      code: "NO_ENDPOINT",
      applied: "no",
      message: expect.stringMatching(/within 300 ms: a:1 \(refused\), b:2 \(refused\)/),
    });
  });

  test("after a lost connection a read is NO_ENDPOINT, a write is in doubt", async () => {
    const { calls, lines } = world(1);
    const ends = [getting, putting].map((command) =>
      watch(calls.run(asking(command, { timeoutMs: 300 }))),
    );
    lines[0].lose();
    await pass(305);
    expect(ends.map(({ error }) => [error?.code, error?.applied])).toEqual([
      ["NO_ENDPOINT", "no"],
      ["CONNECTION_LOST", "maybe"],
    ]);
    for (const { error } of ends) expect(error?.message).toContain("a:1 (refused)");
  });

  test("is not held against the nodes while this process itself stood still", async () => {
    const { calls, lines } = world(1);
    const end = watch(calls.run(asking(getting, { timeoutMs: 300 })));
    await pass(5);
    // The answer is there, but timers come before sockets in a loop that stood still.
    const before = performance.now();
    vi.spyOn(performance, "now").mockReturnValueOnce(before + 2000);
    await pass(5);
    expect(end.error).toBe(undefined);
    lines[0].answer(found("in time"));
    await turn();
    expect(end.result).toMatchObject({ kind: "found" });
  });
});

describe("a write that is tried again", () => {
  test("keeps its operation and says so, wherever it goes", async () => {
    const { calls, lines } = world(3);
    const end = watch(calls.run(asking(putting)));
    lines[0].lose();
    lines[1].lose();
    const operations = lines.map(
      ({ sent }) => sent[0]?.command as typeof putting & { kind: "put" },
    );
    expect(operations.map(({ operation }) => operation)).toEqual([
      { at: 5, nonce: 6, retried: false },
      { at: 5, nonce: 6, retried: true },
      { at: 5, nonce: 6, retried: true },
    ]);
    lines[2].answer(stored);
    await turn();
    expect(end.result).toEqual(stored);
  });

  test("is in doubt for good once an attempt was lost, whatever the next node says", async () => {
    const { calls, lines } = world(2);
    const end = watch(calls.run(asking(putting)));
    lines[0].lose();
    lines[1].answer(refusal("QUORUM_INVALID"));
    await turn();
    expect(end.error).toMatchObject({ code: "QUORUM_INVALID", applied: "maybe" });
  });

  test("is not in doubt when every node said no", async () => {
    const { calls, lines } = world(2);
    const end = watch(calls.run(asking(putting)));
    lines[0].answer(refusal("DISK_FULL"));
    lines[1].answer(refusal("DISK_FULL"));
    await turn();
    expect(end.error).toMatchObject({ code: "DISK_FULL", applied: "no" });
  });

  test("is not tried for ever on lines that break", async () => {
    const { calls, lines } = world(30);
    const end = watch(calls.run(asking(putting)));
    for (const line of lines) line.lose();
    await turn();
    expect(end.error).toMatchObject({ code: "CONNECTION_LOST", applied: "maybe" });
    expect(lines.filter(({ sent }) => sent.length > 0).length).toBe(12);
  });
});

describe("a node that says that it cannot", () => {
  test("is asked again when it said, not earlier", async () => {
    const { calls, lines } = world(1);
    const end = watch(calls.run(asking(getting)));
    lines[0].answer(refusal("OVERLOADED", { retryAfterMs: 80 }));
    await pass(75);
    expect(lines[0].sent.length).toBe(1);
    await pass(10);
    expect(lines[0].sent.length).toBe(2);
    lines[0].answer(found("value"));
    await turn();
    expect(end.result).toEqual(found("value"));
  });

  test("is not waited for beyond the deadline", async () => {
    const { calls, lines } = world(1);
    const end = watch(calls.run(asking(getting, { timeoutMs: 100 })));
    lines[0].answer(refusal("OVERLOADED", { retryAfterMs: 200 }));
    await turn();
    expect(end.error).toMatchObject({ code: "OVERLOADED", message: "it is OVERLOADED" });
  });

  test("and leaves is passed over at once", async () => {
    const { calls, lines } = world(2);
    const end = watch(calls.run(asking(putting)));
    lines[0].answer(refusal("CLOSED"));
    lines[1].answer(stored);
    await turn();
    expect(end.result).toEqual(stored);
  });

  test("and has no rival is asked with growing pauses, not as fast as it refuses", async () => {
    const { calls, lines } = world(1);
    const end = watch(calls.run(asking(getting)));
    let refused = 0;
    for (let ms = 0; ms < 1000; ms += 5) {
      if (lines[0].sent.length > refused) lines[0].answer(refusal("NOT_READY"), refused++);
      expect(lines[0].sent.length).toBe(refused);
      await pass(5);
    }
    expect(lines[0].sent.length).toBeGreaterThan(4);
    expect(lines[0].sent.length).toBeLessThan(10);
    expect(end).toEqual({});
  });

  test("for reasons of its own has at most two others asked", async () => {
    const { calls, lines } = world(5);
    const end = watch(calls.run(asking(getting)));
    for (const line of lines) line.answer(refusal("QUORUM_UNAVAILABLE"), 0);
    await turn();
    expect(end.error).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
    expect(lines.map(({ sent }) => sent.length)).toEqual([1, 1, 1, 0, 0]);
  });

  test("because of what was asked is believed", async () => {
    const { calls, lines } = world(2);
    const end = watch(calls.run(asking(getting)));
    lines[0].answer(refusal("QUORUM_INVALID"));
    await turn();
    expect(end.error).toMatchObject({ code: "QUORUM_INVALID", applied: "no" });
    expect(lines[1].sent).toEqual([]);
  });

  test("in words of a later version is INTERNAL, with its code in the message", async () => {
    const { calls, lines } = world(1);
    const end = watch(calls.run(asking(getting)));
    lines[0].answer(refusal("toString"));
    await turn();
    expect(end.error).toMatchObject({ code: "INTERNAL", message: "toString: it is toString" });
  });
});

describe("an aborted signal", () => {
  test("ends the call with its reason; a write that was sent is in doubt", async () => {
    const { calls } = world(1);
    const abort = new AbortController();
    const { signal } = abort;
    const ends = [getting, putting].map((command) => watch(calls.run(asking(command, { signal }))));
    abort.abort("enough");
    await turn();
    expect(ends.map(({ error }) => [error?.code, error?.applied, error?.cause])).toEqual([
      ["ABORTED", "no", "enough"],
      ["ABORTED", "maybe", "enough"],
    ]);
    const late = watch(calls.run(asking(putting, { signal })));
    await turn();
    expect(late.error).toMatchObject({ code: "ABORTED", applied: "no" });
  });

  test("may be that of many calls without a warning, and is let go after them", async () => {
    const { calls, lines } = world(1);
    const { signal } = new AbortController();
    const [add, remove] = [
      vi.spyOn(signal, "addEventListener"),
      vi.spyOn(signal, "removeEventListener"),
    ];
    for (let i = 0; i < 50; i++) watch(calls.run(asking(getting, { signal })));
    expect(add.mock.calls.length).toBe(1);
    for (let i = 0; i < 50; i++) lines[0].answer(found("value"), i);
    expect(remove.mock.calls.length).toBe(1);
  });
});

describe("waiting calls", () => {
  test("have a ceiling", async () => {
    const { calls, lines } = world(1, { callsMax: 2 });
    for (let i = 0; i < 2; i++) watch(calls.run(asking(getting)));
    const third = watch(calls.run(asking(getting)));
    await turn();
    expect(third.error).toMatchObject({ code: "OVERLOADED", applied: "no" });
    lines[0].answer(found("value"));
    watch(calls.run(asking(getting)));
    expect(lines[0].sent.length).toBe(3);
  });

  test("go on when a node is there, in the order in which they came", async () => {
    const { calls, lines } = world(1);
    lines[0].isUsable = false;
    for (const timeoutMs of [1000, 2000, 3000]) watch(calls.run(asking(getting, { timeoutMs })));
    lines[0].isUsable = true;
    calls.retry();
    const left = lines[0].sent.map(({ command }) => (command as typeof getting).deadlineMs);
    expect(left).toEqual([950, 1950, 2950]);
  });

  test("that find every connection full are OVERLOADED at the deadline", async () => {
    const calls = new Calls({
      lines: { choose: () => undefined, describeFailures: () => undefined },
      ...{ callsMax: 10, hedge: true },
    });
    const end = watch(calls.run(asking(putting, { timeoutMs: 100 })));
    await pass(105);
    expect(end.error).toMatchObject({ code: "OVERLOADED", applied: "no" });
  });
});

test("close settles everything, says what is in doubt, and leaves no timer", async () => {
  const { calls, lines } = world(2);
  const sent = [watch(calls.run(asking(getting))), watch(calls.run(asking(putting)))];
  lines[0].answer(refusal("OVERLOADED", { retryAfterMs: 100 }), 0);
  lines[0].isUsable = false;
  lines[1].isUsable = false;
  const waiting = watch(calls.run(asking(putting)));
  calls.close();
  const after = watch(calls.run(asking(getting)));
  await turn();
  const ends = [...sent, waiting, after].map(({ error }) => [error?.code, error?.applied]);
  expect(ends).toEqual([
    ["CLOSED", "no"],
    ["CLOSED", "maybe"],
    ["CLOSED", "no"],
    ["CLOSED", "no"],
  ]);
  expect(vi.getTimerCount()).toBe(0);
  // Late news of any kind changes nothing.
  for (const { waiter } of lines[0].sent) waiter.answered({ result: stored, ...noToken });
  lines[1].lose();
  calls.retry();
  expect(vi.getTimerCount()).toBe(0);
});
