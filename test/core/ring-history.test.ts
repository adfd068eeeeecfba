/**
 * Random histories of a ring over one to three data centres: whatever operators do, each state is
 * sound, nothing moves that need not, and data is lost only with the last node that has all of it.
 */
import { expect, test } from "vitest";
import { goalOf, planOf } from "../../src/core/admin/plan.ts";
import { admit, applied, departed, finishMoves, forced } from "../../src/core/members/changes.ts";
import { foundRing } from "../../src/core/members/founding.ts";
import { abort, commitStaged, stage, stageJoin } from "../../src/core/members/staging.ts";
import type { Failed } from "../../src/core/message.ts";
import { checkRing, checkSuccessor } from "../../src/core/ring/check-ring.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";
import { decodeRing, encodeRing } from "../../src/core/wire/ring.ts";
import { clusterId, memberOf } from "../support/council.ts";
import { pick, randomFrom, seed } from "../support/random.ts";

const seeds = Number(process.env["SEEDS"] ?? 3);
const partitions = 32;
const membersMax = 9;

type Outcome = RingState | Failed;

class History {
  readonly random: () => number;
  readonly dcs: number;
  state: RingState;
  /** For each partition the nodes that have all of it. */
  readonly full: Set<number>[];
  step = 0;
  #lastAddress = 1;

  constructor(start: number, n: number, dcs: number) {
    this.random = randomFrom(start);
    this.dcs = dcs;
    this.state = foundRing({ clusterId, member: memberOf(1), n, partitions });
    this.full = Array.from({ length: partitions }, () => new Set([1]));
  }

  get present(): readonly Member[] {
    return this.state.members.filter((one) => one.state !== "left");
  }

  candidate() {
    const dc = `dc${1 + pick(this.random, this.dcs)}`;
    this.#lastAddress += 1;
    return { address: `m${this.#lastAddress}:1`, dc, rack: "r1", weight: 1 };
  }

  any(): Member {
    return this.present[pick(this.random, this.present.length)]!;
  }

  /** Some copies are completed, from an owner that has all. */
  fill(): void {
    for (const [partition, full] of this.full.entries()) {
      const owners = this.state.owners[partition]!;
      const source = owners.some((node) => full.has(node));
      const holders = [...owners, ...(goalOf(this.state)[partition] ?? [])];
      for (const node of holders) if (source && this.random() < 0.6) full.add(node);
    }
  }

  finish(share: number): RingState {
    const ready = this.state.moves.filter(
      ({ partition, to }) =>
        to.every((node) => this.full[partition]!.has(node)) && this.random() < share,
    );
    return finishMoves(this.state, ready);
  }

  act(): Outcome {
    const { state, random } = this;
    const { id, address, dc } = this.any();
    const weight = 1 + pick(random, 3);
    const hasRoom = this.present.length < membersMax;
    switch (pick(random, 14)) {
      case 0:
      case 1:
        return hasRoom ? admit(state, this.candidate()) : state;
      case 2:
        return hasRoom ? stageJoin(state, this.candidate()) : state;
      case 3:
        return applied(state, [{ kind: "leave", node: id }]);
      case 4:
        return applied(state, [{ kind: "remove", node: id }]);
      case 5:
        return applied(state, [{ kind: "weight", node: id, weight }]);
      case 6:
        return admit(state, { address, dc, rack: "r1", weight }, id);
      case 7:
        return stageJoin(state, { address, dc, rack: "r1", weight }, id);
      case 8:
        return stage(state, { kind: random() < 0.5 ? "leave" : "remove", node: id });
      case 9:
        return stage(state, { kind: "weight", node: id, weight });
      case 10:
        return commitStaged(state);
      case 11:
        return random() < 0.3 ? abort(state) : state;
      case 12:
        return random() < 0.2 ? forced(state, [id, this.any().id]) : departed(state, [id]);
      default:
        return this.finish(0.5);
    }
  }

  take(next: RingState): void {
    const why = `seed ${seed}, step ${this.step}`;
    expect(checkRing(next), why).toEqual([]);
    if (next.generation === this.state.generation) {
      expect(checkSuccessor(this.state, next), why).toEqual([]);
    } else expect(next.epoch - this.state.epoch, why).toBeGreaterThan(999_999);
    expect(decodeRing(encodeRing(next)), why).toEqual(next);
    const gone = new Set(next.members.flatMap((one) => (one.state === "left" ? [one.id] : [])));
    for (const [partition, full] of this.full.entries()) {
      const before = this.state.owners[partition]!.filter((node) => full.has(node));
      for (const node of full) if (gone.has(node)) full.delete(node);
      const owners = next.owners[partition]!;
      const holders = [...owners, ...(goalOf(next)[partition] ?? [])];
      for (const node of full) if (!holders.includes(node)) full.delete(node);
      if (owners.some((node) => full.has(node))) continue;
      // Nobody has it any more: then everybody who had it was struck out by this very change.
      expect(
        before.filter((node) => !gone.has(node)),
        `${why}, partition ${partition}`,
      ).toEqual([]);
      // What comes from now on is held by those who own it now.
      for (const node of owners) full.add(node);
    }
    this.state = next;
  }

  /** Until nothing moves: with nobody away every move ends. */
  settle(): void {
    for (let i = 0; i < 200 && this.state.moves.length > 0; i++) {
      this.fill();
      const next = this.finish(1);
      if (next !== this.state) this.take(next);
    }
    expect(this.state.moves).toEqual([]);
    const ids = this.present.map(({ id }) => id);
    const next = departed(this.state, ids);
    if (next !== this.state) this.take(next);
  }

  /** All weigh the same. A newcomer besides: what was taken back before is planned again. */
  level(): void {
    const joined = admit(this.state, this.candidate());
    if (!("kind" in joined)) this.take(joined);
    const weighing = this.present.map(
      ({ id }) => ({ kind: "weight", node: id, weight: 1 }) as const,
    );
    const levelled = applied(this.state, weighing);
    if (!("kind" in levelled) && levelled !== this.state) this.take(levelled);
    this.settle();
  }

  /** Within one data centre nobody is further than one partition from its share. */
  expectBalance(): void {
    const staying = this.present.filter((one) => one.state === "member");
    for (const dc of new Set(staying.map((one) => one.dc))) {
      const inside = staying.filter((one) => one.dc === dc);
      const counts = inside.map(
        ({ id }) => this.state.owners.filter((row) => row.includes(id)).length,
      );
      const spread = Math.max(...counts) - Math.min(...counts);
      expect(spread, `seed ${seed}, step ${this.step}, ${dc}: ${counts}`).toBeLessThanOrEqual(1);
    }
  }
}

/**
 * With equal weights a plan sends what the shares that it leads to cannot do without; seldom a few
 * more, where whoever is to get a copy has one of that partition already.
 */
function expectLeastMoves({ state, step }: History): void {
  const wish = { bytesOf: () => 1, isLive: () => true, filling: 0, state };
  for (const { id } of state.members.filter((one) => one.state === "member")) {
    const plan = planOf({ ...wish, changes: [{ kind: "leave", node: id }] });
    if ("kind" in plan) continue;
    const swaps = plan.copies - plan.copiesMin;
    expect(swaps, `seed ${seed}, step ${step}, leave of ${id}`).toBeLessThanOrEqual(3);
  }
}

for (const [n, dcs] of [
  [1, 1],
  [2, 1],
  [3, 1],
  [2, 2],
  [3, 3],
] as const) {
  for (let i = 0; i < seeds; i++) {
    const start = seed + 1_000 * n + 100 * dcs + i;
    test(`with n = ${n} in ${dcs} data centres, run ${start}`, () => {
      const history = new History(start, n, dcs);
      for (; history.step < 150; history.step++) {
        const next = history.act();
        if (!("kind" in next) && next !== history.state) history.take(next);
        if (history.random() < 0.5) history.fill();
        if (history.step % 50 !== 49) continue;
        if (history.state.staged.length > 0) history.take(abort(history.state));
        history.settle();
        history.level();
        history.expectBalance();
        expectLeastMoves(history);
      }
    });
  }
}
