/**
 * Puts copies of partitions on nodes at the least cost, exactly: a minimum-cost flow from each
 * partition (as many units as copies) through its racks (each with a ceiling) to the nodes (as
 * many units as their share). It begins with the copies that stay where they are, which cost
 * nothing, and adds one unit at a time along a cheapest path that may push earlier units elsewhere
 * (successive shortest paths). Ceilings that round a fair spread up always leave a full flow.
 */
import { assert } from "../../../native-free-engine/base/assert.ts";

/** Partitions, nodes and racks by index. */
export interface PlacementProblem {
  readonly partitions: number;
  readonly copies: number;
  /** For each node how many copies it should hold; together partitions × copies. */
  readonly shares: readonly number[];
  /** For each node its rack. */
  readonly racks: readonly number[];
  /** For each rack the most copies of one partition. */
  readonly rackMax: readonly number[];
  /** For each partition the nodes that hold it, and those that are being filled with it. */
  readonly present: readonly (readonly number[])[];
  readonly pending: readonly (readonly number[])[];
}

/** A copy that is on its way costs a move; one that is not costs a trifle more than that. */
const moveCost = 1 << 16;
const freshCost = moveCost + 1;
const unreached = 0x7fffffff;

export function place(problem: PlacementProblem): number[][] {
  const placement = new Placement(problem);
  placement.keep();
  placement.add(0);
  if (problem.pending.some((nodes) => nodes.length > 0)) placement.add(moveCost);
  placement.add(freshCost);
  placement.finish();
  return placement.rows();
}

/** Spreads ties over the ring, the same way each time. */
export function scatter(a: number, b: number): number {
  let mixed = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** Vertices are numbered: partitions, then partitions × racks, then nodes. */
class Placement {
  readonly #problem: PlacementProblem;
  readonly #nodes: number;
  readonly #rackCount: number;
  readonly #holds: Uint8Array;
  readonly #costs: Int32Array;
  /** For each partition and rack the copies there. */
  readonly #inRack: Uint8Array;
  /** For each partition the copies still to be placed; for each node those it still lacks. */
  readonly #room: Int32Array;
  readonly #lack: Int32Array;
  readonly #nodesOfRack: readonly (readonly number[])[];
  readonly #firstNode: number;
  readonly #distance: Int32Array;
  readonly #before: Int32Array;
  readonly #isQueued: Uint8Array;

  constructor(problem: PlacementProblem) {
    const { partitions, copies, shares, racks, rackMax, present, pending } = problem;
    this.#problem = problem;
    this.#nodes = shares.length;
    this.#rackCount = rackMax.length;
    this.#holds = new Uint8Array(partitions * this.#nodes);
    this.#costs = new Int32Array(partitions * this.#nodes).fill(freshCost);
    this.#inRack = new Uint8Array(partitions * this.#rackCount);
    this.#room = new Int32Array(partitions).fill(copies);
    this.#lack = Int32Array.from(shares);
    this.#nodesOfRack = rackMax.map((_, rack) =>
      racks.flatMap((of, node) => (of === rack ? [node] : [])),
    );
    for (let p = 0; p < partitions; p++) {
      for (const node of pending[p] ?? []) this.#costs[p * this.#nodes + node] = moveCost;
      for (const node of present[p] ?? []) this.#costs[p * this.#nodes + node] = 0;
    }
    this.#firstNode = partitions * (1 + this.#rackCount);
    const vertices = this.#firstNode + this.#nodes;
    this.#distance = new Int32Array(vertices);
    this.#before = new Int32Array(vertices);
    this.#isQueued = new Uint8Array(vertices);
  }

  /** As many copies as may stay; of a node with too many, those go whose partition kept most. */
  keep(): void {
    const { partitions, present } = this.#problem;
    for (let p = 0; p < partitions; p++) {
      for (const node of present[p] ?? []) if (this.#canTake(p, node)) this.#take(p, node);
    }
    for (let node = 0; node < this.#nodes; node++) {
      const surplus = -this.#lack[node]!;
      if (surplus <= 0) continue;
      const rows: number[] = [];
      for (let p = 0; p < partitions; p++) if (this.#held(p, node)) rows.push(p);
      const crowd = (p: number): number => this.#inRack[this.#pair(p, node)]!;
      rows.sort(
        (a, b) =>
          this.#room[a]! - this.#room[b]! ||
          crowd(b) - crowd(a) ||
          scatter(a, node) - scatter(b, node),
      );
      for (const p of rows.slice(0, surplus)) this.#release(p, node);
    }
  }

  /** Places copies at this cost: first wherever that is possible directly, then by pushing. */
  add(cost: number): void {
    for (let p = 0; p < this.#problem.partitions; p++) {
      while (this.#room[p]! > 0) {
        const node = this.#best(p, cost);
        if (node === undefined) break;
        this.#take(p, node);
      }
    }
    while (this.#push(cost)) {}
  }

  finish(): void {
    while (this.#push(unreached - 1)) {}
    assert(
      this.#room.every((room) => room === 0) && this.#lack.every((lack) => lack === 0),
      "ceilings that round a fair spread up leave room for every copy",
    );
  }

  rows(): number[][] {
    return Array.from({ length: this.#problem.partitions }, (_, p) => {
      const row: number[] = [];
      for (let node = 0; node < this.#nodes; node++) if (this.#held(p, node)) row.push(node);
      return row;
    });
  }

  #best(p: number, cost: number): number | undefined {
    let best: number | undefined;
    for (let node = 0; node < this.#nodes; node++) {
      if (this.#lack[node]! <= 0 || this.#costs[p * this.#nodes + node] !== cost) continue;
      if (this.#canTake(p, node) && (best === undefined || this.#suits(p, node, best))) best = node;
    }
    return best;
  }

  /** Fewer copies in the same rack first, then whoever lacks most. */
  #suits(p: number, node: number, other: number): boolean {
    const crowd = this.#inRack[this.#pair(p, node)]! - this.#inRack[this.#pair(p, other)]!;
    const lack = this.#lack[node]! - this.#lack[other]!;
    return crowd !== 0 ? crowd < 0 : lack !== 0 ? lack > 0 : scatter(p, node) < scatter(p, other);
  }

  #canTake(p: number, node: number): boolean {
    const rack = this.#problem.racks[node]!;
    const isFull = this.#inRack[this.#pair(p, node)]! >= this.#problem.rackMax[rack]!;
    return this.#room[p]! > 0 && !isFull && !this.#held(p, node);
  }

  #take(p: number, node: number): void {
    this.#holds[p * this.#nodes + node] = 1;
    this.#inRack[this.#pair(p, node)]! += 1;
    this.#room[p]! -= 1;
    this.#lack[node]! -= 1;
  }

  #release(p: number, node: number): void {
    this.#holds[p * this.#nodes + node] = 0;
    this.#inRack[this.#pair(p, node)]! -= 1;
    this.#room[p]! += 1;
    this.#lack[node]! += 1;
  }

  #held(p: number, node: number): boolean {
    return this.#holds[p * this.#nodes + node] === 1;
  }

  #pair(p: number, node: number): number {
    return p * this.#rackCount + this.#problem.racks[node]!;
  }

  /** One unit more along a cheapest path, if that costs no more than this. */
  #push(costMax: number): boolean {
    this.#search();
    let end: number | undefined;
    for (let node = 0; node < this.#nodes; node++) {
      if (this.#lack[node]! <= 0) continue;
      if (end === undefined || this.#reach(node) < this.#reach(end)) end = node;
    }
    if (end === undefined || this.#reach(end) > costMax) return false;
    this.#lack[end]! -= 1;
    let vertex = this.#firstNode + end;
    for (;;) {
      const before = this.#before[vertex]!;
      if (before === -1) break;
      this.#apply(before, vertex);
      vertex = before;
    }
    this.#room[vertex]! -= 1;
    return true;
  }

  #reach(node: number): number {
    return this.#distance[this.#firstNode + node]!;
  }

  /** One step of a path: a copy given to a node or taken from one, a place in a rack likewise. */
  #apply(from: number, to: number): void {
    const { partitions } = this.#problem;
    const isToNode = to >= this.#firstNode;
    const isFromNode = from >= this.#firstNode;
    if (isToNode || isFromNode) {
      const pair = (isToNode ? from : to) - partitions;
      const node = (isToNode ? to : from) - this.#firstNode;
      const p = Math.floor(pair / this.#rackCount);
      this.#holds[p * this.#nodes + node] = isToNode ? 1 : 0;
    } else if (from < partitions) this.#inRack[to - partitions]! += 1;
    else this.#inRack[from - partitions]! -= 1;
  }

  /** Cheapest ways from any partition with room (Bellman and Ford's, with a queue). */
  #search(): void {
    const { partitions } = this.#problem;
    this.#distance.fill(unreached);
    const queue: number[] = [];
    for (let p = 0; p < partitions; p++) {
      if (this.#room[p]! > 0) this.#relax(-1, p, 0, queue);
    }
    for (let at = 0; at < queue.length; at++) {
      const vertex = queue[at]!;
      this.#isQueued[vertex] = 0;
      if (vertex < partitions) this.#leavePartition(vertex, queue);
      else if (vertex < this.#firstNode) this.#leavePair(vertex, queue);
      else this.#leaveNode(vertex, queue);
    }
  }

  #leavePartition(p: number, queue: number[]): void {
    for (let rack = 0; rack < this.#rackCount; rack++) {
      const pair = p * this.#rackCount + rack;
      if (this.#inRack[pair]! >= this.#problem.rackMax[rack]!) continue;
      this.#relax(p, this.#problem.partitions + pair, this.#distance[p]!, queue);
    }
  }

  #leavePair(vertex: number, queue: number[]): void {
    const pair = vertex - this.#problem.partitions;
    const p = Math.floor(pair / this.#rackCount);
    const distance = this.#distance[vertex]!;
    if (this.#inRack[pair]! > 0) this.#relax(vertex, p, distance, queue);
    for (const node of this.#nodesOfRack[pair % this.#rackCount]!) {
      if (this.#held(p, node)) continue;
      const cost = this.#costs[p * this.#nodes + node]!;
      this.#relax(vertex, this.#firstNode + node, distance + cost, queue);
    }
  }

  #leaveNode(vertex: number, queue: number[]): void {
    const node = vertex - this.#firstNode;
    const distance = this.#distance[vertex]!;
    for (let p = 0; p < this.#problem.partitions; p++) {
      if (!this.#held(p, node)) continue;
      const cost = this.#costs[p * this.#nodes + node]!;
      this.#relax(vertex, this.#problem.partitions + this.#pair(p, node), distance - cost, queue);
    }
  }

  #relax(from: number, to: number, distance: number, queue: number[]): void {
    if (distance >= this.#distance[to]!) return;
    this.#distance[to] = distance;
    this.#before[to] = from;
    if (this.#isQueued[to] === 1) return;
    this.#isQueued[to] = 1;
    queue.push(to);
  }
}
