/** Virtual time and promises: what comes before what, run in place or by turns of the real loop. */
import { describe, expect, test } from "vitest";
import { Timeline } from "./timeline.ts";

const ways = [
  { name: "with promises run in place", timeline: () => new Timeline() },
  { name: "with turns of the real loop", timeline: () => new Timeline(0, "turns") },
];

describe.each(ways)("virtual time $name", ({ timeline }) => {
  test("what promises lead to, however far, runs before the next happening", async () => {
    const [time, seen] = [timeline(), [] as string[]];
    time.after(1, () => {
      void chain(50).then(() => seen.push("chain"));
      seen.push("first");
    });
    time.after(1, () => void seen.push("second"));
    await time.runUntil(2);
    expect(seen).toEqual(["first", "chain", "second"]);
    expect(time.now).toBe(2);
  });

  test("a quiet happening that stirs is waited for", async () => {
    const [time, seen] = [timeline(), [] as string[]];
    time.afterQuietly(1, () => {
      time.stir();
      void chain(3).then(() => seen.push("chain"));
    });
    time.afterQuietly(1, () => void seen.push("next"));
    await time.runUntil(2);
    expect(seen).toEqual(["chain", "next"]);
  });

  test("the end of a turn comes after its promises, and before the next happening", async () => {
    const [time, seen] = [timeline(), [] as string[]];
    time.afterQuietly(1, () => {
      void chain(9).then(() => seen.push("chain"));
      time.afterTurn(() => {
        seen.push("end");
        void chain(9).then(() => time.afterTurn(() => seen.push("end of another")));
      });
    });
    time.afterQuietly(1, () => void seen.push("next"));
    await time.runUntil(2);
    expect(seen).toEqual(["chain", "end", "end of another", "next"]);
  });

  test("it stops where it is told, and goes on from there", async () => {
    const [time, seen] = [timeline(), [] as number[]];
    for (let at = 1; at <= 4; at++) time.after(at, () => void seen.push(at));
    await time.runUntil(10, () => seen.length === 2);
    expect(seen).toEqual([1, 2]);
    expect(time.now).toBe(2);
    await time.runUntil(3);
    expect(seen).toEqual([1, 2, 3]);
  });

  test("what throws in a happening ends the run", async () => {
    const time = timeline();
    time.after(1, () => {
      throw new Error("a bug");
    });
    await expect(time.runUntil(2)).rejects.toThrow("a bug");
  });
});

async function chain(length: number): Promise<void> {
  for (let i = 0; i < length; i++) await undefined;
}
