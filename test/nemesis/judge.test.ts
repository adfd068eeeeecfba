/** The judge of a run can find fault with each thing that it promises to look at. */
import { describe, expect, test } from "vitest";
import * as door from "../../src/index.ts";
import type { HistoryWrite } from "./history.ts";
import { type Entry, type Evidence, judge } from "./judge.ts";
import { bytesFor } from "./workloads.ts";

const owners = Array.from({ length: 4 }, () => [1, 2, 3]);
const key = "churn/1";
const maybe = { outcome: "maybe" } as const;

function write(value: string | undefined, more: Partial<HistoryWrite> = {}): HistoryWrite {
  return { workload: "churn", key, value, knew: [], outcome: "acked", ...more };
}

/** Three owners that all hold these values. */
function evidenceOf(writes: readonly HistoryWrite[], ...values: readonly string[]): Evidence {
  const entry: Entry = { key, values: values.map(bytesFor), versions: "a:1" };
  const contents = new Map([1, 2, 3].map((id) => [id, new Map([[key, entry]])]));
  return { door, writes, ring: { owners, n: 3 }, contents, reads: new Map([[key, values]]) };
}

describe("the judge", () => {
  test("is content with what was acknowledged and not superseded", () => {
    const writes = [write("a"), write("b", { knew: ["a"] }), write("c"), write("d", maybe)];
    expect(judge(evidenceOf(writes, "b", "c"))).toEqual([]);
    expect(judge(evidenceOf(writes, "b", "c", "d"))).toEqual([]);
  });

  test("misses an acknowledged write", () => {
    expect(judge(evidenceOf([write("a"), write("b")], "b"))).toEqual([
      `${key}: a was acknowledged, and is lost`,
    ]);
  });

  test("sees what was deleted come back", () => {
    const writes = [write("a"), write(undefined, { knew: ["a"] })];
    expect(judge(evidenceOf(writes, "a"))).toEqual([`${key}: a was superseded, and came back`]);
  });

  test("sees what was refused, and what nobody wrote", () => {
    const refused = write("a", { outcome: "failed" });
    expect(judge(evidenceOf([refused, write("b")], "a", "b"))).toEqual([
      `${key}: a was refused, and is there`,
    ]);
    expect(judge(evidenceOf([write("b")], "b", "c"))).toEqual([`${key}: c was never written`]);
  });

  test("sees bytes that are not those that were written", () => {
    const evidence = evidenceOf([write("a")], "a");
    const entry: Entry = { key, value: `${bytesFor("a")}!`, versions: "a:1" };
    const contents = new Map([1, 2, 3].map((id) => [id, new Map([[key, entry]])]));
    expect(judge({ ...evidence, contents, reads: new Map() }).join()).toContain("broken value");
  });

  test("sees replicas that differ, and reads that show something else", () => {
    const { contents, ...rest } = evidenceOf([write("a")], "a");
    const other = new Map([...contents, [3, new Map<string, Entry>()]]);
    expect(judge({ ...rest, contents: other })).toEqual([`${key}: replicas differ`]);
    const reads = new Map([[key, ["b"]]]);
    expect(judge({ ...rest, contents, reads })).toEqual([`${key}: a client reads b, stored is a`]);
  });

  test("sees a key that nobody wrote, and an owner without a directory", () => {
    const { contents, ...rest } = evidenceOf([write("a")], "a");
    const more = new Map([...contents, [4, new Map([["churn/9", entryOf("churn/9", "z")]])]]);
    expect(judge({ ...rest, contents: more })).toEqual([
      "node 4 holds churn/9, which nobody wrote",
    ]);
    const fewer = new Map([...contents].slice(0, 2));
    expect(judge({ ...rest, contents: fewer })).toContain(`${key}: owner 3 has no directory`);
  });

  test("counts a counter that lost what a writer had acknowledged", () => {
    const { pnCounter } = door;
    const counted = ["c1=2", "c1=5"].map((value, i) =>
      write(value, { key: "counter/0", workload: "counter", knew: i === 0 ? [] : ["c1=2"] }),
    );
    const state = pnCounter.encode({ up: new Map([["c1", 2]]), down: new Map() });
    const entry = entryOf("counter/0", Buffer.from(state).toString());
    const contents = new Map([1, 2, 3].map((id) => [id, new Map([["counter/0", entry]])]));
    const evidence = { door, writes: counted, ring: { owners, n: 3 }, contents, reads: new Map() };
    expect(judge(evidence)).toEqual([
      "counter/0: c1=2 was superseded, and came back",
      "counter/0: c1=5 was acknowledged, and is lost",
    ]);
  });
});

function entryOf(of: string, value: string): Entry {
  return { key: of, value, versions: "a:1" };
}
