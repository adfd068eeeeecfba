/** Who has not been let in yet: how many, for how long, and what failing costs. */
import { connect as connectTcp, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Failures } from "../../src/runtime/failures.ts";
import { Lobby } from "../../src/runtime/lobby.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { ClosedWorld } from "./closed-world.ts";

describe("the lobby", () => {
  const limits = { perAddressMax: 3, allMax: 5, staysMsMin: 0, staysMsMax: 60_000, turnMs: 0 };

  /** `out`: who had to give way; `away`: who found no room. */
  function filled(more: Partial<typeof limits> = {}) {
    const out: string[] = [];
    const away: string[] = [];
    const lobby = new Lobby({ ...limits, ...more });
    const enter = (name: string, address: string): void => {
      const isIn = lobby.enter(name, { address, socket: { destroy: () => out.push(name) } });
      if (!isIn) away.push(name);
    };
    return { lobby, out, away, enter };
  }

  test("the oldest of an address gives way to its newest, never another's", () => {
    const { lobby, out, enter } = filled();
    enter("other", "b");
    for (let i = 0; i < 10; i++) enter(`a${i}`, "a");
    expect(out).toEqual(["a0", "a1", "a2", "a3", "a4", "a5", "a6"]);
    expect(lobby.size).toBe(4);
    lobby.close();
    expect(lobby.size).toBe(0);
  });

  test("who has just come does not give way: the newest is turned away instead", () => {
    vi.useFakeTimers({ toFake: ["performance", "setInterval", "clearInterval"] });
    try {
      const { lobby, out, away, enter } = filled({ staysMsMin: 500 });
      for (let i = 0; i < 6; i++) enter(`a${i}`, "a");
      expect([out, away]).toEqual([[], ["a3", "a4", "a5"]]);
      vi.advanceTimersByTime(500);
      for (let i = 6; i < 10; i++) enter(`a${i}`, "a");
      expect([out, away.slice(3)]).toEqual([["a0", "a1", "a2"], ["a9"]]);
      lobby.close();
    } finally {
      vi.useRealTimers();
    }
  });

  test("however many come back, only one after the other finds room", () => {
    vi.useFakeTimers({ toFake: ["performance", "setInterval", "clearInterval"] });
    try {
      const { lobby, out, away, enter } = filled({ turnMs: 20, staysMsMin: 1 });
      for (let i = 0; i < 3; i++) enter(`a${i}`, "a");
      for (let i = 3; i < 203; i++) {
        vi.advanceTimersByTime(1);
        enter(`a${i}`, "a");
      }
      expect([out.length, away.length, lobby.size]).toEqual([10, 190, 3]);
      lobby.close();
    } finally {
      vi.useRealTimers();
    }
  });

  test("there is a bound for all of them together", () => {
    const { lobby, out, enter } = filled();
    for (let i = 0; i < 8; i++) enter(`${i}`, `address ${i}`);
    expect(out).toEqual(["0", "1", "2"]);
    lobby.close();
  });

  test("whoever was let in is not thrown out", () => {
    const { lobby, out, enter } = filled();
    for (const name of ["a", "b", "c"]) enter(name, "x");
    for (const name of ["a", "b", "c"]) lobby.leave(name);
    for (const name of ["d", "e", "f"]) enter(name, "x");
    expect(out).toEqual([]);
    lobby.close();
    expect(out).toEqual(["d", "e", "f"]);
  });
});

describe("failures", () => {
  test("ten a minute are answered at once, later ones ever later, others as before", () => {
    const failures = new Failures();
    const delays = Array.from({ length: 20 }, () => failures.delayOf("a", 1_000));
    expect(delays.slice(0, 10)).toEqual(new Array(10).fill(0));
    expect(delays.slice(10, 17)).toEqual([100, 200, 400, 800, 1_600, 3_200, 4_000]);
    expect(Math.max(...delays)).toBe(4_000);
    expect(failures.delayOf("b", 1_000)).toBe(0);
    expect(failures.delayOf("a", 61_001)).toBe(0);
  });

  test("a flood of addresses is forgotten, the oldest first", () => {
    const failures = new Failures();
    for (let i = 0; i < 11; i++) failures.delayOf("a", 0);
    for (let i = 0; i < 5_000; i++) failures.delayOf(`address ${i}`, 0);
    expect(failures.delayOf("a", 0)).toBe(0);
  });
});

interface Dribbling {
  readonly write: string;
  readonly gone: Promise<void>[];
}

/** The beginnings of a request, and of a handshake of TLS. */
const request = "GET / HTTP/1.1\r\nUpgrade: webs";
const hello = "\x16\x03\x01\x02";

describe("a node under strangers", () => {
  let world: ClosedWorld;
  const sockets: Socket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await world.close();
  });

  /** Resolves when it is there; `gone` when it is no more. */
  function open(node: RunningNode, { write, gone }: Dribbling): Promise<void> {
    const port = Number(node.address.split(":")[1]);
    return new Promise((resolve) => {
      const socket = connectTcp({ port, host: "127.0.0.1" }, () => resolve());
      socket.on("error", () => resolve());
      gone.push(new Promise((closed) => socket.once("close", () => closed())));
      socket.write(write);
      // What is never read never ends.
      socket.resume();
      sockets.push(socket);
    });
  }

  test.each(["in the clear", "over TLS"])(
    "1,000 that dribble, %s: a client is served, and they go",
    async (how) => {
      world = new ClosedWorld();
      const token = world.token("ada", "write");
      const tls = how === "over TLS" ? { ca: world.authority.certificate } : undefined;
      const closed = { tokenFile: world.writeTokens(), ...(tls && world.tls()) };
      const node = await world.start("a", { n: 1, ...closed });
      const early = await world.connect(node, { token, tls });
      const headers = { authorization: `Bearer ${token}` };
      const { socket: held } = await world.knock(node, { headers, tls });
      const gone: Promise<void>[] = [];
      for (let i = 0; i < 1_000; i++) {
        await open(node, { write: how === "over TLS" ? hello : request, gone });
      }
      await early.put("key", "1");
      // From the same address, while all of them are there. Whoever comes in their first half
      // second may be turned away with them, and knocks again.
      const late = await vi.waitFor(() => world.connect(node, { token, tls }), {
        timeout: 10_000,
        interval: 100,
      });
      expect((await late.get("key")).values).toHaveLength(1);
      const began = performance.now();
      await Promise.all(gone);
      expect(performance.now() - began).toBeLessThan(10_000);
      expect((await early.get("key")).values).toHaveLength(1);
      expect(held.readyState).toBe(held.OPEN);
    },
  );

  test("many wrong tokens make wrong ones slow, and right ones not", async () => {
    world = new ClosedWorld();
    const token = world.token("ada", "write");
    const node = await world.start("a", { n: 1, tokenFile: world.writeTokens() });
    const knock = (shown: string) =>
      world.knock(node, { headers: { authorization: `Bearer ${shown}` } });
    for (let i = 0; i < 10; i++) expect((await knock("wrong")).status).toBe(403);
    const began = performance.now();
    const throttled = await Promise.all(Array.from({ length: 4 }, () => knock("wrong")));
    for (const { status, code } of throttled) expect([status, code]).toEqual([429, "AUTH_FAILED"]);
    expect(performance.now() - began).toBeGreaterThan(700);
    const right = performance.now();
    expect((await knock(token)).status).toBe(101);
    expect(performance.now() - right).toBeLessThan(700);
  });
});
