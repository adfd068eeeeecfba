/**
 * An endless script of writes that is a function of the position alone, so that what a database
 * holds says how much of the script it has: after a crash that must be a prefix, and at least what
 * was acknowledged. Values say which operation wrote them.
 */
import { createHash } from "node:crypto";

const keys = 700;

/** What operation i does: a put, a deletion, or an atomic batch over several keys. */
export function operationAt(i) {
  const key = keyAt(i * 7919);
  if (i % 7 === 3) return [{ type: "del", key }];
  const put = { type: "put", key, value: valueAt(i, key) };
  if (i % 5 !== 1) return [put];
  const others = [keyAt(i * 31 + 1), keyAt(i * 17 + 2)].filter((other) => other !== key);
  const more = [...new Set(others)].map((other) => ({
    type: "put",
    key: other,
    value: valueAt(i, other),
  }));
  return [put, ...more];
}

/** Every other one is synced. */
export function isSynced(i) {
  return i % 2 === 0;
}

/**
 * Issues operations from number `from` on, a few at a time, until `isOver` or a failure. Tells of
 * each acknowledgement. Resolves with the number behind the last one that was issued.
 */
export async function runScript(engine, from, { isOver, onAcknowledged }) {
  let failed = false;
  let i = from;
  while (!isOver() && !failed) {
    const window = [];
    for (let left = 1 + (i % 12); left > 0; left--, i++) window.push(issue(engine, i));
    const acknowledge = async (number, promise) => {
      try {
        await promise;
        onAcknowledged(number);
      } catch {
        failed = true;
      }
    };
    const first = i - window.length;
    await Promise.all(window.map((promise, k) => acknowledge(first + k, promise)));
  }
  return i;
}

function issue(engine, i) {
  const operations = operationAt(i);
  const options = { sync: isSynced(i) };
  const [only] = operations;
  if (operations.length > 1) return engine.batch(operations, options);
  if (only.type === "del") return engine.delete(only.key, options);
  return engine.put(only.key, only.value, options);
}

/**
 * How many operations of the script the engine holds. Throws unless its contents are byte for byte
 * those after that many operations, at least `acknowledged` and at most `issued`.
 */
export async function recoveredCount(engine, { acknowledged, issued }) {
  const found = new Map();
  let newest = -1;
  for await (const [key, value] of engine.scan()) {
    const text = Buffer.from(value).toString();
    found.set(Buffer.from(key).toString(), text);
    newest = Math.max(newest, Number(text.split(" ", 1)[0]));
  }
  let count = Math.max(newest + 1, acknowledged);
  const state = stateAfter(count);
  for (;;) {
    const difference = differenceOf(state, found);
    if (difference === undefined) break;
    const next = operationAt(count);
    // Deletions leave no trace of themselves: try whether one more of them explains it.
    if (next[0].type !== "del" || count >= issued) {
      const counts = `${acknowledged} acknowledged, ${issued} issued, newest ${newest}`;
      throw new Error(`not a prefix: ${counts}; ${difference}`);
    }
    applyTo(state, next);
    count += 1;
  }
  if (count > issued) throw new Error(`${count} operations found, but only ${issued} were issued`);
  return count;
}

function stateAfter(count) {
  const state = new Map();
  for (let i = 0; i < count; i++) applyTo(state, operationAt(i));
  return state;
}

function applyTo(state, operations) {
  for (const { type, key, value } of operations) {
    if (type === "del") state.delete(key);
    else state.set(key, value);
  }
}

function differenceOf(state, found) {
  for (const [key, value] of state) {
    if (found.get(key) === value) continue;
    return `${key} should be ${value.slice(0, 30)}, is ${found.get(key)?.slice(0, 30)}`;
  }
  for (const key of found.keys()) if (!state.has(key)) return `${key} should not be there`;
  return undefined;
}

function keyAt(i) {
  return `key-${String(i % keys).padStart(6, "0")}`;
}

/** The number of the operation, then bytes that depend on it and on the key. */
function valueAt(i, key) {
  const digest = createHash("md5").update(`${i} ${key}`).digest("hex");
  return `${i} ${digest.repeat(1 + (i % 9))}`;
}
