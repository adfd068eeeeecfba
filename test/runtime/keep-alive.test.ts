/** Who is given up: connections that say nothing, and never because this process stood still. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KeepAlive } from "../../src/runtime/keep-alive.ts";
import type { Socket } from "../../src/runtime/sockets.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function socket(answers: () => boolean): Socket & { readonly ended: () => boolean } {
  let isEnded = false;
  return {
    bufferedBytes: 0,
    send: () => undefined,
    pause: () => undefined,
    resume: () => undefined,
    probe: answers,
    close: () => undefined,
    terminate: () => {
      isEnded = true;
    },
    ended: () => isEnded,
  };
}

test("a connection that answers stays; one that does not, twice in a row, is ended", () => {
  const keepAlive = new KeepAlive(1000);
  let turn = 0;
  const [live, dead, slow] = [
    socket(() => true),
    socket(() => false),
    socket(() => (turn++ & 1) === 1),
  ];
  for (const each of [live, dead, slow]) keepAlive.add(each);
  vi.advanceTimersByTime(1000);
  expect(dead.ended()).toBe(false);
  vi.advanceTimersByTime(9000);
  expect([live, dead, slow].map((each) => each.ended())).toEqual([false, true, false]);
  keepAlive.stop();
});

test("after a stall of this process itself nobody is accused", () => {
  const keepAlive = new KeepAlive(1000);
  const silent = socket(() => false);
  keepAlive.add(silent);
  for (let i = 0; i < 5; i++) {
    vi.advanceTimersByTime(1000);
    // The loop stood still: the next sweep comes late.
    vi.setSystemTime(Date.now() + 5000);
    vi.spyOn(performance, "now").mockReturnValue(performance.now() + 5000);
  }
  expect(silent.ended()).toBe(false);
  keepAlive.stop();
});

test("a connection that is gone is forgotten", () => {
  const keepAlive = new KeepAlive(1000);
  const gone = socket(() => false);
  keepAlive.add(gone);
  keepAlive.delete(gone);
  vi.advanceTimersByTime(5000);
  expect(gone.ended()).toBe(false);
  keepAlive.stop();
});
