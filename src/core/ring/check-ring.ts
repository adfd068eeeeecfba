/**
 * What must be true of every ring state, whoever made it: asked of each state that is decoded,
 * voted on or taken into force, so that no bug of a planner and no forged bytes become ownership.
 * Answers with what is wrong, in words; an empty list is a sound state.
 */
import type { NodeId } from "../ids.ts";
import { bucketBytesMax, bucketsMax, membersMax, nMax, stagedMax, ttlMsMax } from "../limits.ts";
import type { Member, RingState } from "./ring-state.ts";

const partitionsMax = 1 << 12;
const weightMax = 100;
const addressCharactersMax = 300;
const nameCharactersMax = 64;

export function checkRing(state: RingState): string[] {
  const { clusterId, generation, epoch, n, owners } = state;
  const faults: string[] = [];
  if (!/^[0-9a-f]{32}$/.test(clusterId)) faults.push(`${clusterId} is no cluster id`);
  if (!isCounter(generation)) faults.push(`${generation} is no generation`);
  if (!isCounter(epoch)) faults.push(`${epoch} is no epoch`);
  if (!isCounter(n) || n > nMax) faults.push(`n is ${n}, not 1 to ${nMax}`);
  const { length } = owners;
  if (length < 2 || length > partitionsMax || (length & (length - 1)) !== 0) {
    faults.push(`${length} partitions are no power of two from 2 to ${partitionsMax}`);
  }
  checkMembers(state, faults);
  checkOwners(state, faults);
  checkMoves(state, faults);
  checkBuckets(state, faults);
  checkStaged(state, faults);
  return faults;
}

/** Whether `after` can follow `before` by agreement: one epoch on, with the same foundations. */
export function checkSuccessor(before: RingState, after: RingState): string[] {
  const faults: string[] = [];
  const claim = (isTrue: boolean, fault: string): void => {
    if (!isTrue) faults.push(fault);
  };
  claim(after.clusterId === before.clusterId, `it is of cluster ${after.clusterId}`);
  claim(after.generation === before.generation, `it is of generation ${after.generation}`);
  claim(after.epoch === before.epoch + 1, `epoch ${after.epoch} does not follow ${before.epoch}`);
  claim(after.n === before.n, `n would become ${after.n}`);
  claim(after.owners.length === before.owners.length, "the number of partitions would change");
  const next = new Map(after.members.map((member) => [member.id, member]));
  const last = lastNumber(before.members);
  for (const { id, state } of before.members) {
    const member = next.get(id);
    claim(member !== undefined, `member ${id} would be forgotten`);
    claim(state !== "left" || member?.state === "left", `member ${id} would come back`);
    next.delete(id);
  }
  for (const id of next.keys()) claim(id > last, `number ${id} was used before`);
  return faults;
}

/** The highest number that any member ever had. */
export function lastNumber(members: readonly Member[]): NodeId {
  return members.reduce((last, { id }) => Math.max(last, id), 0);
}

/** Parameters that a member record may have, however it came about. */
export function checkParameters(member: Pick<Member, "address" | "dc" | "rack" | "weight">) {
  const faults: string[] = [];
  const { address, dc, rack, weight } = member;
  if (address === "" || address.length > addressCharactersMax) faults.push("a bad address");
  if (dc.length > nameCharactersMax) faults.push("too long a name of a data centre");
  if (rack.length > nameCharactersMax) faults.push("too long a name of a rack");
  if (!(weight > 0 && weight <= weightMax)) faults.push(`weight ${weight}, not in (0, 100]`);
  return faults;
}

function checkMembers({ members, staged }: RingState, faults: string[]): void {
  if (members.length > membersMax) faults.push(`there are ${members.length} members`);
  const numbers = new Set<NodeId>();
  const addresses = new Set<string>();
  // A node that waits to take a member's place stands where that one stood.
  const replacing = new Set(
    staged.flatMap((one) => (one.kind === "join" && one.replaces !== undefined ? [one.node] : [])),
  );
  for (const member of members) {
    const { id, address, state } = member;
    if (!isCounter(id) || numbers.has(id)) faults.push(`member number ${id} is used twice or bad`);
    numbers.add(id);
    for (const fault of checkParameters(member)) faults.push(`member ${id} has ${fault}`);
    if (state === "left" || (state === "joining" && replacing.has(id))) continue;
    if (addresses.has(address)) faults.push(`${address} is the address of two members`);
    addresses.add(address);
  }
  if (addresses.size === 0) faults.push("nobody is a member");
}

function checkOwners({ members, n, owners }: RingState, faults: string[]): void {
  const owning = members.filter(({ state }) => state === "member" || state === "leaving");
  const present = new Map(owning.map(({ id, dc }) => [id, dc]));
  for (const [partition, row] of owners.entries()) {
    const fault = faultOfRow(row, present, n);
    if (fault !== undefined) faults.push(`partition ${partition} is owned by ${fault}`);
  }
}

function checkMoves({ members, n, owners, moves }: RingState, faults: string[]): void {
  const remaining = members.filter(({ state }) => state === "member");
  const staying = new Map(remaining.map(({ id, dc }) => [id, dc]));
  let last = -1;
  for (const { partition, to } of moves) {
    const row = owners[partition];
    const fault = faultOfRow(to, staying, n);
    if (row === undefined) faults.push(`partition ${partition}, which moves, does not exist`);
    else if (isSameSet(row, to)) faults.push(`partition ${partition} moves to where it is`);
    if (partition <= last) faults.push(`the move of partition ${partition} is out of order`);
    if (fault !== undefined) faults.push(`partition ${partition} moves to ${fault}`);
    last = partition;
  }
}

function checkBuckets({ buckets, n }: RingState, faults: string[]): void {
  if (buckets.length > bucketsMax) faults.push(`there are ${buckets.length} buckets`);
  let last = "";
  for (const { name, r, w, ttlMs } of buckets) {
    const bytes = new TextEncoder().encode(name).length;
    if (name === "" || bytes > bucketBytesMax) faults.push(`a bucket's name has ${bytes} bytes`);
    if (name <= last) faults.push(`bucket ${name} is out of order`);
    if (!isQuorum(r, n)) faults.push(`bucket ${name} has r = ${r}`);
    if (!isQuorum(w, n)) faults.push(`bucket ${name} has w = ${w}`);
    const isTtl = Number.isSafeInteger(ttlMs) && ttlMs >= 0 && ttlMs <= ttlMsMax;
    if (!isTtl) faults.push(`bucket ${name} has a time to live of ${ttlMs} ms`);
    last = name;
  }
}

function checkStaged({ members, staged }: RingState, faults: string[]): void {
  if (staged.length > stagedMax) faults.push(`${staged.length} changes are staged`);
  const stateOf = new Map(members.map(({ id, state }) => [id, state]));
  const touched = new Set<NodeId>();
  for (const change of staged) {
    const { kind, node } = change;
    const state = stateOf.get(node);
    const isFit = kind === "join" ? state === "joining" : state === "member" || state === "leaving";
    if (!isFit || touched.has(node)) faults.push(`a ${kind} of node ${node} is staged`);
    touched.add(node);
    if (kind !== "join" || change.replaces === undefined) continue;
    const replaced = stateOf.get(change.replaces);
    const isThere = replaced === "member" || replaced === "leaving";
    if (!isThere || touched.has(change.replaces)) {
      faults.push(`node ${node} is staged to replace ${change.replaces}`);
    }
    touched.add(change.replaces);
  }
}

function isQuorum(value: number, n: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= n;
}

/** `allowed`: who may own at all, and in which data centre each of them is. */
function faultOfRow(
  row: readonly NodeId[],
  allowed: ReadonlyMap<NodeId, string>,
  n: number,
): string | undefined {
  if (row.length === 0) return "nobody";
  if (new Set(row).size !== row.length) return `[${row}], one of them twice`;
  const stranger = row.find((node) => !allowed.has(node));
  if (stranger !== undefined) return `${stranger}, which cannot`;
  const copies = new Map<string | undefined, number>();
  for (const node of row) {
    const dc = allowed.get(node);
    copies.set(dc, (copies.get(dc) ?? 0) + 1);
  }
  const most = Math.max(...copies.values());
  return most > n ? `${most} nodes of a data centre, more than n = ${n}` : undefined;
}

export function isSameSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node) => b.includes(node));
}

function isCounter(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}
