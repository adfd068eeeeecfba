/** A seed, a world, some clients and some trouble; then what must hold. One half of the seeds. */
import { describe } from "vitest";
import { testSeeds } from "./seeds.ts";

describe("a cluster under loss, crashes, cuts, standstill and changes of its ring", () => {
  testSeeds({ part: 0, parts: 2 });
});
