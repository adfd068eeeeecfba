/** Connections that say nothing any more are ended, and never because this process stood still. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Probes } from "../../src/client/probes.ts";

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
  const probes = new Probes();
  const [live, silent, gone] = [probed(true), probed(false), probed(false)];
  for (const each of [live, silent, gone]) probes.add(each);
  probes.delete(gone);
  vi.advanceTimersByTime(2000);
  expect(silent.terminate).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2000);
  expect([live, silent, gone].map(({ terminate }) => terminate.mock.calls.length)).toEqual([
    ...[0, 1, 0],
  ]);
  probes.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("nobody is accused after a stall", () => {
  const probes = new Probes();
  const silent = probed(false);
  probes.add(silent);
  for (let i = 1; i <= 5; i++) {
    vi.spyOn(performance, "now").mockReturnValue(i * 10_000);
    vi.advanceTimersByTime(2000);
  }
  expect(silent.terminate).not.toHaveBeenCalled();
  probes.stop();
});
