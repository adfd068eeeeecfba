/** Liveness and gossip on a network of the test's own: who is called down, when, and by whom. */
import { describe, expect, test } from "vitest";
import type { Out } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { Gossip, gossipDefaults } from "../../src/core/members/gossip.ts";
import { Liveness, livenessDefaults } from "../../src/core/members/liveness.ts";
import { Phi } from "../../src/core/members/phi.ts";
import type { GossipMessage, Message } from "../../src/core/message.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import type { RingView } from "../../src/core/views.ts";

const seed = Number(process.env["SEED"] ?? 1);

function ringOf(count: number, self: NodeId): RingView {
  const members = Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    address: `n${i + 1}`,
    dc: "dc1",
    rack: "r1",
    weight: 1,
    state: "member" as const,
  }));
  const state = { members, epoch: 1 } as unknown as RingState;
  return { state, self, isMember: (id: NodeId) => id <= count } as unknown as RingView;
}

/** Nodes that gossip over links of `delayMs`; `cut` says which messages are lost. */
class Town {
  now = 1_000;
  readonly nodes: { gossip: Gossip; liveness: Liveness; stopped: boolean }[] = [];
  #mail: { at: number; from: NodeId; to: NodeId; message: Message }[] = [];
  readonly #random = seededRandom(seed);
  cut: (from: NodeId, to: NodeId) => boolean = () => false;
  messages = 0;
  /** The longest list of heartbeats in one message. */
  longest = 0;
  /** What each says that it keeps. */
  readonly hints: number[] = [];

  /** One way, and as much again at worst. */
  delayMs: (from: NodeId, to: NodeId) => number = () => 5;
  /** How often somebody was no longer taken for live. */
  falls = 0;

  constructor(count: number) {
    for (let id = 1; id <= count; id++) {
      const liveness = new Liveness(id, livenessDefaults);
      const ring = ringOf(count, id);
      const out: Out = {
        send: (to, message) => {
          this.messages += 1;
          if ("heartbeats" in message) {
            this.longest = Math.max(this.longest, message.heartbeats.length);
          }
          const delayMs = this.delayMs(id, to);
          const at = this.now + (delayMs === 5 ? 1 : delayMs) + this.#random.below(delayMs);
          this.#mail.push({ at, from: id, to, message });
        },
        store: () => {},
        notice: () => {},
      };
      const gossip = new Gossip({
        self: id,
        started: 1,
        out,
        random: seededRandom(seed * 1000 + id),
        tuning: gossipDefaults,
        liveness,
        ring: () => ring,
        report: () => ({ hints: this.hints[id - 1] ?? 0, filling: 0 }),
        heartbeatMax: () => Number.POSITIVE_INFINITY,
        onHeartbeat: () => {},
      });
      this.nodes.push({ gossip, liveness, stopped: false });
    }
  }

  run(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now += 10;
      for (const node of this.nodes) {
        if (node.stopped) continue;
        node.gossip.tick(this.now);
        if (node.liveness.takeChanged()) {
          node.gossip.spread();
          this.falls += node.liveness.suspects().length;
        }
      }
      const due = this.#mail.filter(({ at }) => at <= this.now);
      this.#mail = this.#mail.filter(({ at }) => at > this.now);
      for (const letter of due) this.#deliver(letter);
    }
  }

  #deliver(letter: { at: number; from: NodeId; to: NodeId; message: Message }): void {
    const receiver = this.nodes[letter.to - 1];
    if (receiver === undefined || receiver.stopped || this.cut(letter.from, letter.to)) return;
    receiver.liveness.heard(letter.from, this.now);
    receiver.gossip.receive(this.now, letter.from, letter.message as GossipMessage);
  }

  states(of: NodeId): string[] {
    return this.nodes.map(({ liveness }, i) => (i + 1 === of ? "-" : liveness.stateOf(of)));
  }
}

describe("phi", () => {
  test("grows with silence, and more slowly where answers were irregular", () => {
    const regular = new Phi();
    const irregular = new Phi();
    for (let i = 0; i < 50; i++) {
      regular.arrived(i * 1000);
      irregular.arrived(i * 1000 + (i % 2) * 700);
    }
    const at = 49_000 + 2_500;
    expect(regular.at(49_100)).toBeLessThan(0.1);
    expect(regular.at(at)).toBeGreaterThan(8);
    expect(irregular.at(at)).toBeLessThan(regular.at(at));
    expect(irregular.at(at)).toBeGreaterThan(irregular.at(at - 500));
  });

  test("says nothing before it has learnt, and forgives", () => {
    const phi = new Phi();
    expect(phi.at(1e9)).toBe(0);
    for (let i = 0; i < 10; i++) phi.arrived(i * 1000);
    phi.forgive(20_000);
    expect(phi.at(20_500)).toBeLessThan(1);
  });
});

describe("gossip", () => {
  test("everybody finds everybody, and keeps finding them", () => {
    const town = new Town(5);
    town.run(5_000);
    for (let id = 1; id <= 5; id++) {
      expect(town.states(id).filter((state) => state === "live")).toHaveLength(4);
    }
  });

  test("a silent node is down for everyone within 5 seconds, and live when it returns", () => {
    const town = new Town(5);
    town.run(10_000);
    town.nodes[2]!.stopped = true;
    town.run(5_000);
    expect(town.states(3)).toEqual(["down", "down", "-", "down", "down"]);
    town.nodes[2]!.stopped = false;
    town.run(2_000);
    expect(town.states(3)).toEqual(["live", "live", "-", "live", "live"]);
  });

  for (const delayMs of [40, 250, 900]) {
    test(`nobody is suspected for being far away: ${2 * delayMs} ms there and back or more`, () => {
      const town = new Town(6);
      town.delayMs = (from, to) => (from < 4 === to < 4 ? 5 : delayMs);
      town.run(120_000);
      expect(town.falls).toBe(0);
      // Each knows how long the way is, although the next probe goes out before an answer comes.
      for (const [i, { liveness }] of town.nodes.entries()) {
        const [near, far] = i < 3 ? [((i + 1) % 3) + 1, 5] : [4 + ((i - 2) % 3), 2];
        expect(liveness.latencyMs(near)).toBeLessThan(40);
        expect(liveness.latencyMs(far)).toBeGreaterThan(2 * delayMs);
        expect(liveness.latencyMs(far)).toBeLessThan(4 * delayMs);
      }
      for (const id of [4, 5, 6]) town.nodes[id - 1]!.stopped = true;
      town.run(9_000);
      for (const { liveness } of town.nodes.slice(0, 3)) {
        expect([4, 5, 6].map((id) => liveness.stateOf(id))).toEqual(["down", "down", "down"]);
      }
    });
  }

  test("a broken connection is noticed at once, and agreed on within a second", () => {
    const town = new Town(3);
    town.run(10_000);
    town.nodes[2]!.stopped = true;
    for (const id of [1, 2]) town.nodes[id - 1]!.liveness.linkChanged(3, false, town.now);
    expect(town.nodes[0]!.liveness.isLive(3)).toBe(false);
    town.run(900);
    expect(town.states(3)).toEqual(["down", "down", "-"]);
  });

  test("one observer alone calls nobody down while others reach the node", () => {
    const town = new Town(4);
    town.run(10_000);
    town.cut = (from, to) => (from === 3 && to === 1) || (from === 1 && to === 3);
    let wasDown = false;
    for (let i = 0; i < 200; i++) {
      town.run(100);
      wasDown ||= town.nodes[0]!.liveness.stateOf(3) === "down";
    }
    expect(town.nodes[0]!.liveness.isLive(3)).toBe(false);
    expect(wasDown).toBe(false);
    expect(town.nodes[1]!.liveness.stateOf(3)).toBe("live");
  });

  test("of two nodes, the one left decides alone", () => {
    const town = new Town(2);
    town.run(10_000);
    town.nodes[1]!.stopped = true;
    town.run(5_000);
    expect(town.states(2)).toEqual(["down", "-"]);
  });

  test("a node that stood still itself accuses nobody", () => {
    const town = new Town(3);
    town.run(10_000);
    town.nodes[0]!.stopped = true;
    town.run(2_000);
    town.nodes[0]!.stopped = false;
    town.nodes[0]!.gossip.tick(town.now);
    expect(town.nodes[0]!.liveness.suspects()).toEqual([]);
    town.run(3_000);
    expect(town.states(1)).toEqual(["-", "live", "live"]);
    expect(town.states(2)).toEqual(["live", "-", "live"]);
  });

  test("a stall of two seconds is not death for the others either", () => {
    const town = new Town(3);
    town.run(10_000);
    for (let i = 0; i < 5; i++) {
      town.nodes[0]!.stopped = true;
      town.run(2_000);
      expect(town.states(1)).toEqual(["-", "live", "live"]);
      town.nodes[0]!.stopped = false;
      town.run(4_000);
    }
  });

  test("nobody of fifty is suspected for being seldom asked", () => {
    const town = new Town(50);
    town.run(30_000);
    expect(town.falls).toBe(0);
  });

  test("a silent one of fifty is down for everyone within fifteen seconds", () => {
    const town = new Town(50);
    town.run(10_000);
    town.nodes[20]!.stopped = true;
    town.run(15_000);
    expect(town.states(21).filter((state) => state === "down")).toHaveLength(49);
    expect(town.states(22).filter((state) => state === "live")).toHaveLength(49);
  });

  test("what a dead node said of others has nobody ask them for ever", () => {
    const town = new Town(40);
    town.run(10_000);
    town.cut = (from, to) => (from === 1 && to > 20) || (to === 1 && from > 20);
    town.run(30_000);
    expect(town.nodes[1]?.gossip.heartbeatOf(1)?.suspects.length).toBeGreaterThan(10);
    town.nodes[0]!.stopped = true;
    town.cut = () => false;
    town.run(15_000);
    const before = town.messages;
    town.run(5_000);
    // Each second at most 9 probes of each of 39, with answers, and gossip.
    expect(town.messages - before).toBeLessThan(5 * 39 * 2 * (9 + 2));
  });

  test("of 200 nodes a message tells some, and what is new reaches all as soon", () => {
    const town = new Town(200);
    town.run(20_000);
    expect(town.longest).toBe(gossipDefaults.heartbeatsMax);
    town.hints[0] = 1;
    town.run(12_000);
    const told = town.nodes.filter(({ gossip }) => gossip.heartbeatOf(1)?.hints === 1);
    expect(told).toHaveLength(200);
  });

  test("news reaches all of 32 nodes within ceil(log2 n) + 3 rounds", () => {
    const town = new Town(32);
    town.run(2_000);
    const heartbeat = town.nodes[0]!.gossip.heartbeatOf(1)!.heartbeat;
    town.run(8_000);
    for (const { gossip } of town.nodes) {
      expect(gossip.heartbeatOf(1)!.heartbeat).toBeGreaterThan(heartbeat);
    }
  });
});
