/**
 * Evens out how often each node comes first in a preference list, by turning lists round: the
 * first owner answers most reads and coordinates most writes, and to change it moves no data. A
 * node with t copies of lists of k should lead t/k of them, rounded down or up; flipping leaders
 * along paths always gets there (it is a matching of lists to nodes with those bounds).
 */
import type { NodeId } from "../ids.ts";

/** `rows` are changed in place: each keeps its nodes. */
export function evenFirstOwners(rows: NodeId[][]): void {
  const leads = new Leads(rows);
  for (const node of leads.nodes) while (leads.above(node)) leads.pass(node, "away");
  for (const node of leads.nodes) while (leads.below(node)) leads.pass(node, "here");
}

interface Bound {
  readonly most: number;
  readonly least: number;
}

class Leads {
  readonly #rows: NodeId[][];
  readonly #counts = new Map<NodeId, number>();
  readonly #bounds = new Map<NodeId, Bound>();

  constructor(rows: NodeId[][]) {
    this.#rows = rows;
    const shares = new Map<NodeId, number>();
    for (const row of rows) {
      for (const node of row) shares.set(node, (shares.get(node) ?? 0) + 1 / row.length);
      const [first] = row;
      if (first !== undefined) this.#counts.set(first, this.#count(first) + 1);
    }
    for (const [node, share] of shares) {
      const bound = { most: Math.ceil(share - 1e-6), least: Math.floor(share + 1e-6) };
      this.#bounds.set(node, bound);
    }
  }

  get nodes(): readonly NodeId[] {
    return [...this.#bounds.keys()].sort((a, b) => a - b);
  }

  above(node: NodeId): boolean {
    return this.#count(node) > (this.#bounds.get(node)?.most ?? 0);
  }

  below(node: NodeId): boolean {
    return this.#count(node) < (this.#bounds.get(node)?.least ?? 0);
  }

  /** One lead away from the node, or to it, over as many others as it takes. */
  pass(node: NodeId, to: "away" | "here"): void {
    const reachedBy = new Map<NodeId, readonly [row: number, from: NodeId] | undefined>();
    reachedBy.set(node, undefined);
    for (const at of reachedBy.keys()) {
      if (at !== node && this.#ends(at, to)) {
        this.#flip(at, reachedBy, to);
        return;
      }
      // Without iterators: a plan is made in one turn, and this is most of it.
      for (let index = 0; index < this.#rows.length; index++) {
        const row = this.#rows[index] ?? [];
        const first = row[0];
        if ((first === at) !== (to === "away") || !row.includes(at)) continue;
        for (const next of to === "away" ? row : [first ?? at]) {
          if (!reachedBy.has(next)) reachedBy.set(next, [index, at]);
        }
      }
    }
    throw new Error("broken assertion: leads within the bounds always exist");
  }

  #ends(node: NodeId, to: "away" | "here"): boolean {
    const { most, least } = this.#bounds.get(node) ?? { most: 0, least: 0 };
    return to === "away" ? this.#count(node) < most : this.#count(node) > least;
  }

  #flip(
    end: NodeId,
    reachedBy: ReadonlyMap<NodeId, readonly [row: number, from: NodeId] | undefined>,
    to: "away" | "here",
  ): void {
    let node = end;
    for (;;) {
      const step = reachedBy.get(node);
      if (step === undefined) return;
      const [index, from] = step;
      this.#lead(index, to === "away" ? node : from);
      node = from;
    }
  }

  #lead(index: number, leader: NodeId): void {
    const row = this.#rows[index] ?? [];
    const [former] = row;
    if (former !== undefined) this.#counts.set(former, this.#count(former) - 1);
    this.#counts.set(leader, this.#count(leader) + 1);
    this.#rows[index]?.splice(0, row.length, leader, ...row.filter((node) => node !== leader));
  }

  #count(node: NodeId): number {
    return this.#counts.get(node) ?? 0;
  }
}
