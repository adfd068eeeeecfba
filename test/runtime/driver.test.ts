/** The loop of a node: what the core asks for is done in order, and nothing can end the node. */
import { afterEach, expect, test, vi } from "vitest";
import type { Effect, Event, StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { Result } from "../../src/core/message.ts";
import { Counts } from "../../src/runtime/counts.ts";
import { type Core, Driver } from "../../src/runtime/driver.ts";
import { type Log, silentLog } from "../../src/runtime/log.ts";
import { NodeClock, newActor } from "../../src/runtime/time.ts";

afterEach(() => vi.useRealTimers());

interface World {
  readonly driver: Driver;
  readonly events: Event[];
  readonly done: string[];
  readonly counts: Counts;
}

function world(
  step: (event: Event) => readonly Effect[],
  parts: {
    readonly started?: readonly Effect[];
    readonly run?: (work: StoreWork, done: (outcome: StoreOutcome) => void) => void;
    readonly log?: Log;
  } = {},
): World {
  const events: Event[] = [];
  const done: string[] = [];
  const core: Core = {
    start: () => parts.started ?? [],
    step: (event) => {
      events.push(event);
      return step(event);
    },
  };
  const counts = new Counts();
  const driver = new Driver({
    self: 1,
    core,
    counts,
    clock: new NodeClock(),
    log: parts.log ?? silentLog,
    store: { run: parts.run ?? ((_work, answer) => answer({ kind: "durable" })) },
    send: (to, message) => done.push(`${message.kind} to ${to}`),
    reply: (id, result: Result) => done.push(`reply ${id} ${result.kind}`),
    ringChanged: ({ epoch }) => done.push(`epoch ${epoch}`),
    downChanged: (nodes) => done.push(`down ${nodes.join()}`),
  });
  return { driver, events, done, counts };
}

const ping = (to: number): Effect => ({
  kind: "send",
  to,
  message: { kind: "ping", sequence: to },
});

test("a message to the node itself comes back as an event, after the one in hand is done", () => {
  const { driver, events, done } = world((event) =>
    event.kind === "request" ? [ping(1), ping(2)] : event.kind === "message" ? [ping(3)] : [],
  );
  driver.request(9, { kind: "admin", name: "ring", arguments: "", deadlineMs: 100 }, "ada");
  expect(events.map(({ kind }) => kind)).toEqual(["request", "message"]);
  expect(events[1]).toMatchObject({ from: 1, message: { kind: "ping", sequence: 1 } });
  expect(done).toEqual(["ping to 2", "ping to 3"]);
});

test("requests, messages to others and notices are counted by kind", () => {
  const { driver, counts } = world((event) =>
    event.kind === "request"
      ? [ping(1), ping(2), ping(3), { kind: "notice", notice: { kind: "hedged", node: 2 } }]
      : [],
  );
  const command = { kind: "admin", name: "ring", arguments: "", deadlineMs: 100 } as const;
  for (const id of [1, 2]) driver.request(id, command, "ada");
  expect(counts.all()).toEqual({
    requests: { admin: 2 },
    sent: { ping: 4 },
    notices: { hedged: 2 },
  });
});

test("work is answered by its ticket, whether at once or later, and as often as it is", () => {
  const answers: ((outcome: StoreOutcome) => void)[] = [];
  const { driver, events } = world(
    (event) =>
      event.kind === "link"
        ? [
            { kind: "store", ticket: 5, work: { kind: "count-hints" } },
            { kind: "store", ticket: 6, work: { kind: "count-hints" } },
          ]
        : [],
    {
      run: (_work, answer) => {
        if (answers.push(answer) === 1) answer({ kind: "durable" });
      },
    },
  );
  driver.link(2, true);
  answers[1]?.({ kind: "durable" });
  answers[1]?.({ kind: "durable" });
  const stored = events.filter((event) => event.kind === "stored");
  expect(stored.map(({ ticket }) => ticket)).toEqual([5, 6, 6]);
});

test("ticks come about every ten milliseconds, with time that never goes back", () => {
  vi.useFakeTimers();
  const { driver, events } = world(() => []);
  driver.start();
  vi.advanceTimersByTime(100);
  driver.stop();
  vi.advanceTimersByTime(100);
  expect(events).toHaveLength(10);
  const times = events.map(({ now }) => now);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test("a bug costs the event in hand: its request is answered, the next one is served", () => {
  const errors: string[] = [];
  const log = { ...silentLog, error: (event: string) => errors.push(event) };
  const { driver, done } = world(
    (event) => {
      if (event.kind === "request" && event.id === 1) throw new Error("a bug");
      return event.kind === "request"
        ? [{ kind: "reply", id: event.id, result: { kind: "answer", json: "{}" } }]
        : [];
    },
    { log },
  );
  for (const id of [1, 2]) {
    driver.request(id, { kind: "admin", name: "ring", arguments: "", deadlineMs: 100 }, "ada");
  }
  expect(done).toEqual(["reply 1 failed", "reply 2 answer"]);
  expect(errors).toEqual(["core.failed"]);
});

test("what starting asks for is done before anything that follows from it", () => {
  const { driver, events, done } = world(() => [], { started: [ping(1), ping(2)] });
  driver.start();
  driver.stop();
  expect(done).toEqual(["ping to 2"]);
  expect(events.map(({ kind }) => kind)).toEqual(["message"]);
});

test("a stopped node hears nothing any more", () => {
  const { driver, events } = world(() => []);
  driver.stop();
  driver.link(2, true);
  expect(events).toEqual([]);
});

test("time follows a wall clock that ran ahead, and never one that was set back", () => {
  let wall = 1_000_000;
  let elapsed = 50;
  const clock = new NodeClock(
    () => wall,
    () => elapsed,
  );
  expect(clock.now()).toBe(1_000_000);
  wall -= 5_000;
  elapsed += 10;
  clock.follow();
  expect(clock.now()).toBe(1_000_010);
  wall += 60_000;
  clock.follow();
  expect(clock.now()).toBe(wall);
});

test("actors are 16 hex digits, sort by age, and never repeat in a process", () => {
  const drawn = Array.from({ length: 1000 }, newActor);
  expect(new Set(drawn).size).toBe(drawn.length);
  expect(drawn).toEqual([...drawn].sort());
  for (const actor of drawn) expect(actor).toMatch(/^[0-9a-f]{16}$/);
});
