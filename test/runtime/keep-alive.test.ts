/** Connections that say nothing any more are ended, and never because this process stood still. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KeepAlive } from "../../src/runtime/keep-alive.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function probed(isHeard: boolean) {
  return { probe: () => isHeard, terminate: vi.fn() };
}

test("a silent connection is ended the second time, one that answers stays", () => {
  const keepAlive = new KeepAlive(2000);
  const [live, silent, gone] = [probed(true), probed(false), probed(false)];
  for (const each of [live, silent, gone]) keepAlive.add(each);
  keepAlive.delete(gone);
  vi.advanceTimersByTime(2000);
  expect(silent.terminate).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2000);
  expect([live, silent, gone].map(({ terminate }) => terminate.mock.calls.length)).toEqual([
    ...[0, 1, 0],
  ]);
  keepAlive.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("nobody is accused after a stall", () => {
  const keepAlive = new KeepAlive(2000);
  const silent = probed(false);
  keepAlive.add(silent);
  for (let i = 1; i <= 5; i++) {
    vi.spyOn(performance, "now").mockReturnValue(i * 10_000);
    vi.advanceTimersByTime(2000);
  }
  expect(silent.terminate).not.toHaveBeenCalled();
  keepAlive.stop();
});
