/** The registry of codes: what programs and scripts rely on. */
import { expect, test } from "vitest";
import { engineCodes } from "../../native-free-engine/index.ts";
import { ClusterError, clusterCodes, isClusterCode, isClusterError } from "../../src/errors.ts";

test("every code has an exit code that kvctl documents, and a meaning", () => {
  for (const [code, { exit, applied, meaning }] of Object.entries(clusterCodes)) {
    expect([code, [1, 2, 3, 4, 5, 6, 7, 8, 9, 130].includes(exit)]).toEqual([code, true]);
    expect(["no", "maybe", "yes"]).toContain(applied);
    expect(meaning.length).toBeGreaterThan(10);
  }
});

test("where the engine has the same code, it means the same to a caller", () => {
  const both = Object.entries(engineCodes).filter(([code]) => isClusterCode(code));
  expect(both.length).toBeGreaterThan(5);
  for (const [code, { exit, applied }] of both) {
    expect([code, clusterCodes[code as keyof typeof clusterCodes]]).toMatchObject([
      code,
      { exit, applied },
    ]);
  }
});

test("an error knows whether it was applied, from its code or from who knows better", () => {
  expect(new ClusterError("WRITE_TIMEOUT", "late").applied).toBe("maybe");
  const cause = new Error("cause");
  const error = new ClusterError("WRITE_TIMEOUT", "refused", { applied: "no", cause });
  expect([error.applied, error.cause, error.name]).toEqual(["no", cause, "ClusterError"]);
  expect([isClusterError(error), isClusterError(error, "IO"), isClusterError(cause)]).toEqual([
    ...[true, false, false],
  ]);
});

test("names that every object has are no codes", () => {
  for (const name of ["toString", "__proto__", "constructor", ""]) {
    expect(isClusterCode(name)).toBe(false);
  }
});
