/** Disks older than their nodes' deeds: told whenever somebody remembers, never without cause. */
import { describe, expect, test } from "vitest";
import type { Notice, Out } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { decodeLives, decodeSeen, encodeLives } from "../../src/core/members/life-records.ts";
import { Lives, livesDefaults } from "../../src/core/members/lives.ts";
import type { LivesMessage } from "../../src/core/members/lives-message.ts";
import type { Message } from "../../src/core/message.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { RingView } from "../../src/core/views.ts";

const seed = Number(process.env["SEED"] ?? 20261121);

type Disk = Map<string, Uint8Array>;

interface House {
  disk: Disk;
  started: number;
  life: Process | undefined;
  /** How often it learnt that it forgot something. */
  forgotten: number;
}

interface Process {
  readonly lives: Lives;
  heartbeat: number;
  isFilled: boolean;
  readonly pending: (() => void)[];
}

/** Machines that tell each other their heartbeats once a second, as gossip does. */
class Town {
  now = 1_000_000;
  readonly notices: Notice[] = [];
  readonly houses: readonly House[];
  loss = 0;
  readonly #random = seededRandom(seed);
  #mail: { at: number; from: NodeId; to: NodeId; message: Message | Beat }[] = [];

  constructor(count: number) {
    this.houses = Array.from({ length: count }, () => ({
      ...{ disk: new Map(), started: 0, life: undefined, forgotten: 0 },
    }));
    for (let id = 1; id <= count; id++) this.start(id);
  }

  house(id: NodeId): House {
    const house = this.houses[id - 1];
    if (house === undefined) throw new Error(`there is no node ${id}`);
    return house;
  }

  start(id: NodeId): void {
    const house = this.house(id);
    house.started = Math.max(this.now, house.started + 1);
    const pending: (() => void)[] = [];
    const { disk, started } = house;
    const out: Out = {
      send: (to, message) => this.#send(id, to, message),
      store: (work, then) => {
        pending.push(() => {
          if (work.kind === "load-meta") {
            then({ kind: "meta", bytes: disk.get(work.name) }, this.now);
          } else if (work.kind === "save-meta") {
            disk.set(work.name, work.bytes);
            then({ kind: "durable" }, this.now);
          }
        });
      },
      notice: (notice) => this.notices.push(notice),
    };
    const members = this.houses.map((_, i) => ({ id: i + 1, state: "member" as const }));
    const life: Process = {
      lives: new Lives({
        ...{ self: id, started, out, tuning: livesDefaults },
        liveness: { isLive: (node: NodeId) => this.house(node).life !== undefined } as never,
        ring: () => ({ state: { members } }) as unknown as RingView,
        heartbeat: () => life.heartbeat,
        isFilled: () => life.isFilled,
        onForgotten: () => {
          house.forgotten += 1;
          life.isFilled = false;
        },
      }),
      ...{ heartbeat: 0, isFilled: true, pending },
    };
    house.life = life;
    life.lives.start(this.now);
  }

  stop(id: NodeId): void {
    this.house(id).life = undefined;
  }

  /** A copy of the directory. */
  copyOf(id: NodeId): Pick<House, "disk" | "started"> {
    const { disk, started } = this.house(id);
    return { disk: new Map(disk), started };
  }

  putBack(id: NodeId, copy: Pick<House, "disk" | "started">): void {
    this.stop(id);
    Object.assign(this.house(id), { disk: new Map(copy.disk), started: copy.started });
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 100;
      for (const [i, { life, started }] of this.houses.entries()) {
        if (life === undefined) continue;
        for (const work of life.pending.splice(0)) work();
        life.lives.tick(this.now);
        if (this.now % 1_000 === 0) this.#beat(i + 1, life, started);
      }
      const due = this.#mail.filter(({ at }) => at <= this.now);
      this.#mail = this.#mail.filter(({ at }) => at > this.now);
      for (const { from, to, message } of due) {
        const lives = this.house(to).life?.lives;
        if ("node" in message) lives?.heard(message);
        else lives?.receive(this.now, from, message as LivesMessage);
      }
    }
  }

  /** To one other at random, as gossip does. */
  #beat(id: NodeId, life: Process, started: number): void {
    life.heartbeat = Math.min(life.heartbeat + 1, life.lives.heartbeatMax);
    if (life.lives.heartbeatMax === 0) return;
    const others = this.houses.map((_, i) => i + 1).filter((other) => other !== id);
    const to = others[this.#random.below(others.length)] ?? id;
    this.#send(id, to, { node: id, started, heartbeat: life.heartbeat });
  }

  #send(from: NodeId, to: NodeId, message: Message | Beat): void {
    if (this.#random.below(100) < this.loss) return;
    this.#mail.push({ at: this.now + this.#random.below(300), from, to, message });
  }
}

interface Beat {
  readonly node: NodeId;
  readonly started: number;
  readonly heartbeat: number;
}

test("a node knows itself once a majority of the voters has told it", () => {
  const town = new Town(3);
  town.stop(2);
  town.stop(3);
  const { life } = town.house(1);
  if (life === undefined) throw new Error("it runs");
  town.run(5_000);
  expect(life.lives.isTold([1])).toBe(true);
  expect(life.lives.isTold([1, 2, 3])).toBe(false);
  town.start(2);
  town.run(2_000);
  expect(life.lives.isTold([1, 2, 3])).toBe(true);
  expect(life.lives.isTold([1, 3])).toBe(false);
});

describe("a directory put back from a copy", () => {
  test("is told when the node was started since the copy was made", () => {
    const town = new Town(3);
    town.run(5_000);
    town.stop(1);
    const copy = town.copyOf(1);
    town.start(1);
    town.run(5_000);
    town.putBack(1, copy);
    town.start(1);
    town.run(5_000);
    expect(town.house(1).forgotten).toBe(1);
    expect(town.notices).toContainEqual(expect.objectContaining({ kind: "forgotten" }));
  });

  test("is told when one process ran on after it was copied", () => {
    const town = new Town(2);
    town.run(5_000);
    const snapshot = town.copyOf(1);
    town.run(300_000);
    town.putBack(1, snapshot);
    town.start(1);
    town.run(5_000);
    expect(town.house(1).forgotten).toBe(1);
  });

  test("is told late, when the only one who remembers was away", () => {
    const town = new Town(3);
    town.stop(3);
    const copy = town.copyOf(1);
    town.start(3);
    town.stop(2);
    town.stop(1);
    town.start(1);
    // Only node 3 hears of this life; it goes before node 1 comes back.
    town.run(30_000);
    town.stop(3);
    town.putBack(1, copy);
    // What is still on its way reaches nobody.
    town.run(1_000);
    town.start(2);
    town.start(1);
    town.run(3_600_000);
    expect(town.house(1).forgotten).toBe(0);
    town.start(3);
    town.run(10_000);
    expect(town.house(1).forgotten).toBe(1);
  });

  test("is told again at each start until everything was compared, and then no more", () => {
    const town = new Town(3);
    town.run(5_000);
    town.stop(1);
    const copy = town.copyOf(1);
    town.start(1);
    town.run(5_000);
    town.putBack(1, copy);
    for (let start = 1; start <= 3; start++) {
      town.start(1);
      town.run(5_000);
      expect(town.house(1).forgotten).toBe(start);
      town.stop(1);
    }
    town.start(1);
    town.run(5_000);
    const { life } = town.house(1);
    if (life === undefined) throw new Error("it runs");
    life.isFilled = true;
    town.run(5_000);
    town.stop(1);
    for (let start = 1; start <= 3; start++) {
      town.start(1);
      town.run(5_000);
      town.stop(1);
    }
    expect(town.house(1).forgotten).toBe(4);
  });

  test("is told by those who were started themselves since, from their own records", () => {
    const town = new Town(3);
    const copy = town.copyOf(1);
    town.run(200_000);
    for (const id of [1, 2, 3]) town.stop(id);
    town.putBack(1, copy);
    for (const id of [1, 2, 3]) town.start(id);
    town.run(5_000);
    expect(town.house(1).forgotten).toBe(1);
    expect([2, 3].map((id) => town.house(id).forgotten)).toEqual([0, 0]);
  });

  test("is told when its own record cannot be read", () => {
    const town = new Town(2);
    town.run(5_000);
    town.stop(1);
    town.house(1).disk.set("lives", Uint8Array.of(1, 200));
    town.start(1);
    town.run(5_000);
    expect(town.house(1).forgotten).toBe(1);
  });
});

test("starts, crashes and lost messages alone are never taken for an old disk", () => {
  for (let round = 0; round < 10; round++) {
    const random = seededRandom(seed + round);
    const town = new Town(4);
    town.loss = 20;
    for (let step = 0; step < 60; step++) {
      const id = 1 + random.below(4);
      if (town.house(id).life === undefined) town.start(id);
      else if (random.below(2) === 0) town.stop(id);
      town.run(100 * (1 + random.below(random.below(4) === 0 ? 2_000 : 30)));
    }
    const forgotten = town.houses.map((house) => house.forgotten);
    expect(forgotten, `seed ${seed}, round ${round}`).toEqual([0, 0, 0, 0]);
  }
});

describe("the records", () => {
  test("come back as they were, and as nothing from bytes that are none", () => {
    const lives = [
      { started: 1, heartbeat: 120 },
      { started: 1_700_000_000_000, heartbeat: 2 ** 40 },
    ];
    const bytes = encodeLives(lives);
    expect(decodeLives(bytes)).toEqual(lives);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(decodeLives(bytes.subarray(0, cut))).toEqual([]);
    }
    expect(decodeLives(undefined)).toEqual([]);
    expect(decodeLives(Uint8Array.of(2, 0))).toEqual([]);
    expect(decodeSeen(Uint8Array.of(1, 255))).toEqual(new Map());
  });

  test("do not grow with the number of starts", () => {
    const town = new Town(2);
    for (let start = 0; start < 200; start++) {
      town.stop(1);
      town.start(1);
      town.run(3_000);
    }
    expect(town.house(1).forgotten).toBe(0);
    expect(town.house(1).disk.get("lives")?.length).toBeLessThan(1_000);
    expect(town.house(2).disk.get("lives-seen")?.length).toBeLessThan(250);
  });
});
