/** Partitions that stream to a node that is to hold them: what it costs, and what it survives. */
import { describe, expect, test } from "vitest";
import { isEqual } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Message } from "../../src/core/message.ts";
import { FrameWriter } from "../../src/core/wire/codec.ts";
import { keyNumber, memberOf, Town, type TownOptions } from "../support/replica-town.ts";

const seed = Number(process.env["SEED"] ?? 1);
const keys = 2_000;

/** Three nodes with data, and a fourth that is to own everything in the place of the first. */
function joined(options: Partial<TownOptions> = {}, count = keys): Town {
  const town = new Town({ seed, nodes: 3, partitions: 8, ...options });
  for (let i = 0; i < count; i++) town.put(2, keyNumber(i), "x".repeat(200), [1, 2, 3]);
  town.start();
  town.run(4_000);
  town.sent.length = 0;
  town.change((state) => ({
    members: [...state.members, memberOf(4)],
    moves: state.owners.map((owners, partition) => ({
      partition,
      to: owners.map((id) => (id === 1 ? 4 : id)),
    })),
  }));
  town.start(4);
  return town;
}

function fill(town: Town, node: NodeId = 4): void {
  town.run(120_000, () => isFilled(town, node));
  expect(isFilled(town, node), `seed ${seed}`).toBe(true);
}

function isFilled(town: Town, node: NodeId): boolean {
  return town.isUp(node) && town.life(node).standing.filling() === 0;
}

function chunks(town: Town) {
  return town.sent.flatMap(({ message, ...sent }) =>
    message.kind === "transfer-chunk" ? [{ ...sent, message }] : [],
  );
}

function keysSent(town: Town): number {
  const carried = town.sent.map(({ message }) =>
    message.kind === "transfer-chunk" || message.kind === "tree-push" ? message.entries.length : 0,
  );
  return carried.reduce((sum, each) => sum + each, 0);
}

/** What one key takes in a message, by itself. */
function bytesOfAll(town: Town): number {
  const writer = new FrameWriter();
  for (const entry of town.store(2).data.values()) {
    writer.add({ kind: "hints", request: 0, round: 0, entries: [entry] });
  }
  return writer.take().reduce((sum, { length }) => sum + length, 0);
}

describe("a stream", () => {
  test("brings every key once, in chunks of bounded size", () => {
    const town = joined();
    fill(town);
    expect(town.store(4).data.size).toBe(keys);
    expect(keysSent(town)).toBe(keys);
    const sizes = chunks(town).map(({ message }) => message.entries.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(128);
    expect(Math.max(...chunks(town).map(({ bytes }) => bytes))).toBeLessThan(75_000);
  });

  test("takes little more than the keys themselves take", () => {
    const town = joined({}, 8_000);
    fill(town);
    const bytes = town.sent
      .filter(({ message: { kind } }) => /^(transfer|tree|filled)/.test(kind))
      .filter(({ from, to }) => from === 4 || to === 4)
      .reduce((sum, each) => sum + each.bytes, 0);
    expect(bytes / bytesOfAll(town)).toBeLessThan(1.05);
  });

  test("comes from several owners, a few partitions at a time", () => {
    const town = joined();
    let most = 0;
    town.run(60_000, () => {
      const reports = town.life(4).transfers.report();
      most = Math.max(most, reports.filter(({ phase }) => phase === "streaming").length);
      return isFilled(town, 4);
    });
    expect(most).toBe(2);
    const sources = chunks(town).map(({ from }) => from);
    for (const id of [1, 2, 3]) expect(sources.filter((from) => from === id)).not.toEqual([]);
  });

  test("is refused by a source that serves as many as it may", () => {
    const town = joined({ transfers: { inboundMax: 8, outboundMax: 1 } });
    fill(town);
    const busy = town.sent.filter(
      ({ message }) => message.kind === "transfer-close" && message.outcome === "busy",
    );
    expect(busy).not.toEqual([]);
    expect(keysSent(town)).toBe(keys);
  });

  test("keeps a bounded number of chunks in flight", () => {
    const town = joined({ partitions: 2, transfers: { inboundMax: 1 } });
    let [asked, came, most] = [0, 0, 0];
    for (let at = 0; !isFilled(town, 4); at = town.sent.length) {
      town.run(10);
      for (const { message } of town.sent.slice(at)) {
        if (message.kind === "transfer-ask" && message.chunks > 0) asked = came;
        else if (message.kind === "transfer-chunk") came += 1;
        most = Math.max(most, came - asked);
      }
    }
    expect(most).toBe(4);
  });

  test("leaves out what the target has got already", () => {
    const town = joined();
    for (const entry of town.store(2).data.values()) town.store(4).join(entry);
    fill(town);
    expect(keysSent(town)).toBe(0);
  });

  test("goes slower where the budget leaves little", () => {
    const took = [1, 0.1].map((share) => {
      const town = joined({ partitions: 2 }, 6_000);
      town.share = share;
      const from = town.now;
      fill(town);
      return town.now - from;
    });
    expect(took[1]).toBeGreaterThan(2 * took[0]!);
  });

  test("brings writes along that happen meanwhile", () => {
    const town = joined();
    for (let i = 0; !isFilled(town, 4); i++) {
      town.put(1, keyNumber(town.random.below(keys)), `newer ${i}`, [1, 2, 3, 4]);
      town.run(10);
    }
    for (const entry of town.store(1).data.values()) {
      expect(isEqual(town.store(4).versionsOf(entry.key), entry.versions)).toBe(true);
    }
    expect(keysSent(town)).toBeLessThan(keys * 1.1);
  });
});

describe("a stream that is cut off", () => {
  test("goes on at another owner when the source dies, from where it was", () => {
    const town = joined();
    const sources = () =>
      town
        .life(4)
        .transfers.report()
        .flatMap(({ source }) => source ?? []);
    town.run(60_000, () => town.store(4).data.size > keys / 4 && sources().length > 0);
    const [source] = sources();
    town.stop(source!);
    fill(town);
    expect(town.store(4).data.size).toBe(keys);
    expect(keysSent(town)).toBeLessThan(keys * 1.15);
  });

  test("goes on where it was when the target starts again", () => {
    const town = joined({ partitions: 2, transfers: { chunks: 2, chunkKeys: 50 } });
    for (const part of [0.2, 0.5, 0.8]) {
      town.run(60_000, () => town.store(4).data.size > keys * part);
      town.stop(4);
      town.run(2_000);
      town.start(4);
    }
    fill(town);
    expect(town.store(4).data.size).toBe(keys);
    // In flight each time were at most two chunks of each of two partitions.
    expect(keysSent(town)).toBeLessThanOrEqual(keys + 3 * 2 * 2 * 50 + 100);
  });

  test.each([
    { loss: 5, repeat: 0, delayMsMax: 5 },
    { loss: 0, repeat: 50, delayMsMax: 5 },
    { loss: 0, repeat: 30, delayMsMax: 200 },
    { loss: 10, repeat: 20, delayMsMax: 100 },
  ])("comes to an end with $loss % lost, $repeat % repeated, $delayMsMax ms apart", (weather) => {
    for (let round = 0; round < 3; round++) {
      const town = joined({ ...weather, seed: seed + round, partitions: 4 }, 500);
      fill(town);
      expect(town.store(4).data.size, `seed ${seed + round}`).toBe(500);
    }
  });

  test("resumes wherever in it source or target die", () => {
    const kinds = new Set<Message["kind"]>();
    const whole = joined({ partitions: 2 }, 400);
    fill(whole);
    for (const { message } of whole.sent) kinds.add(message.kind);
    const stages = whole.sent.length;
    for (const kind of ["transfer-ask", "transfer-chunk", "tree-open"])
      expect(kinds).toContain(kind);
    for (const victim of [2, 3, 4]) {
      for (let stage = 1; stage < stages; stage += 2) {
        const town = joined({ partitions: 2 }, 400);
        town.run(60_000, () => town.sent.length >= stage);
        town.stop(victim);
        town.run(500);
        town.start(victim);
        fill(town);
        const where = `seed ${seed}, node ${victim} at message ${stage}`;
        expect(town.store(4).data.size, where).toBe(400);
        expect(keysSent(town), where).toBeLessThanOrEqual(800);
      }
    }
  });

  test("waits for its source where there is no other", () => {
    const town = new Town({ seed, nodes: 1, n: 1, partitions: 4 });
    for (let i = 0; i < 500; i++) town.put(1, keyNumber(i), "x".repeat(200));
    town.start();
    town.run(4_000);
    town.change(({ members }) => ({
      members: [...members, memberOf(2)],
      moves: [0, 1].map((partition) => ({ partition, to: [2] })),
    }));
    town.start(2);
    town.run(150);
    town.stop(1);
    town.run(30_000);
    expect(isFilled(town, 2)).toBe(false);
    town.start(1);
    fill(town, 2);
  });

  test("is left out where every owner refuses: comparing brings everything", () => {
    const town = joined();
    for (const id of [1, 2, 3]) {
      for (let p = 0; p < 8; p++) town.life(id).standing.lost(town.now, p);
    }
    for (const id of [1, 2, 3]) town.store(id).data.delete([...town.store(id).data.keys()][id]!);
    fill(town);
    expect(town.store(4).data.size).toBe(keys);
  });
});

describe("messages that make no sense", () => {
  const nothing = { root: { high: 1, low: 1 }, skip: new Uint8Array(0), after: undefined };

  test.each([
    ["a partition that the source does not hold", { partition: 1, chunks: 1 }],
    ["a partition that there is not", { partition: 99, chunks: 1 }],
    ["more chunks than anybody needs", { partition: 0, chunks: 100 }],
    ["leaves that a tree has not", { partition: 0, chunks: 1, skip: new Uint8Array(5) }],
  ])("a question about %s is refused", (_what, asked) => {
    const town = new Town({ seed, nodes: 4, partitions: 4 });
    town.start();
    town.run(4_000);
    town.sent.length = 0;
    const ask = { kind: "transfer-ask", transfer: 7, ...nothing, ...asked } as const;
    // Node 1 owns all partitions but the second.
    town.life(1).transfers.receive(town.now, 2, ask);
    town.run(1_000);
    const answers = town.sent.filter(({ message }) => /^transfer/.test(message.kind));
    const { partition } = asked;
    expect(answers.map(({ message }) => message)).toEqual([
      { kind: "transfer-close", transfer: 7, partition, outcome: "refused" },
    ]);
  });

  test("a chunk that nobody asked for, or from somebody else, is left unheard", () => {
    const town = joined({ partitions: 2 });
    const entry = town.put(3, keyNumber(keys + 1), "stray", [3]);
    const partition = Math.floor(entry.key.high / 2 ** 31);
    const stray = { kind: "transfer-chunk", partition, round: 0, index: 0 } as const;
    const chunk = { ...stray, entries: [entry], next: undefined };
    for (let i = 0; i < 500; i++) {
      town.life(4).transfers.receive(town.now, 1 + (i % 3), { ...chunk, transfer: i });
      const asked = town.sent.findLast(({ message }) => message.kind === "transfer-ask");
      const transfer = asked?.message.kind === "transfer-ask" ? asked.message.transfer : 0;
      const stranger = asked?.to === 1 ? 2 : 1;
      town.life(4).transfers.receive(town.now, stranger, { ...chunk, transfer });
    }
    expect(town.store(4).data.size).toBe(0);
    fill(town);
    expect(town.store(4).data.size).toBe(keys + 1);
  });

  test("a chunk with keys of another partition is taken from nobody", () => {
    const town = joined({ partitions: 2 });
    town.run(5_000, () => town.sent.some(({ message }) => isStreamAsk(message)));
    const asked = town.sent.find(({ message }) => isStreamAsk(message));
    if (asked?.message.kind !== "transfer-ask") throw new Error("nothing was asked for");
    const { transfer, partition } = asked.message;
    const alien = [...town.store(2).data.values()].find(
      ({ key }) => Math.floor(key.high / 2 ** 31) !== partition,
    );
    const about = { kind: "transfer-chunk", transfer, partition, index: 0, round: 0 } as const;
    const chunk = { ...about, entries: [alien!], next: undefined };
    const had = town.store(4).data.size;
    town.life(4).transfers.receive(town.now, asked.to, chunk);
    expect(town.store(4).data.size).toBe(had);
    fill(town);
    expect(town.store(4).data.size).toBe(keys);
  });
});

function isStreamAsk(message: Message): boolean {
  return message.kind === "transfer-ask" && message.chunks > 0;
}

describe("what is told of a transfer", () => {
  test("grows from nothing to all of it, with an estimate of the rest", () => {
    const town = joined({ partitions: 2, transfers: { inboundMax: 1 } }, 6_000);
    const seen: number[] = [];
    town.run(60_000, () => {
      for (const report of town.life(4).transfers.report()) {
        if (report.phase !== "streaming" || report.keysTotal === undefined) continue;
        seen.push(report.keysDone);
        expect(report.keysTotal).toBeGreaterThan(2_000);
        expect(report.keysTotal).toBeLessThan(4_500);
        expect(report).toMatchObject({ target: 4, etaMs: expect.any(Number) });
        expect(report.bytesDone).toBeGreaterThan(report.keysDone * 200);
      }
      return isFilled(town, 4);
    });
    expect(seen.length).toBeGreaterThan(3);
    town.run(100);
    expect(town.life(4).transfers.report()).toEqual([]);
  });
});

describe("what a node holds no longer", () => {
  test("reaches an owner, where it was nowhere else", () => {
    const town = joined();
    fill(town);
    const partition = (number: number) => Math.floor(keyNumber(number).high / 2 ** 29);
    town.change((state) => ({ moves: [], owners: state.moves.map(({ to }) => to) }));
    // Node 1 had not heard of it yet when it took these.
    for (let i = 0; i < 20; i++) town.put(1, keyNumber(keys + i), "late", [1]);
    for (let i = 0; i < 20; i++) town.put(1, keyNumber(i), "later", [1]);
    town.sent.length = 0;
    town.run(20_000);
    for (let i = 0; i < 20; i++) {
      for (const number of [i, keys + i]) {
        const owners = town.state.owners[partition(number)]!;
        for (const id of owners) {
          const found = town.store(id).versionsOf(keyNumber(number));
          const given = town.store(1).versionsOf(keyNumber(number));
          expect(isEqual(found, given), `node ${id}`).toBe(true);
        }
      }
    }
    expect(town.life(1).departed.isGiven(0)).toBe(true);
    const toFirst = town.sent.filter(({ to, message }) => to === 1 && message.kind === "tree-push");
    expect(toFirst).toEqual([]);
  });

  test("is dropped once the owners hold all of it, and not before", () => {
    const town = joined();
    fill(town);
    town.change((state) => ({ moves: [], owners: state.moves.map(({ to }) => to) }));
    town.run(5_000);
    town.stop(3);
    town.run(700_000);
    expect(town.store(1).data.size).toBe(keys);
    town.start(3);
    town.run(60_000);
    expect(town.store(1).data.size).toBe(0);
    for (const id of [2, 3, 4]) expect(town.store(id).data.size).toBe(keys);
  });
});
