/** As sim.test.ts: the other half of the seeds, for another worker. */
import { describe } from "vitest";
import { testSeeds } from "./seeds.ts";

describe("a cluster under loss, crashes, cuts, standstill and changes of its ring", () => {
  testSeeds({ part: 1, parts: 2 });
});
