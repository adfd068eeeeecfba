/** Inputs that were neither taken nor refused as promised when they were tried first. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lineParser } from "../../bin/entry-lines.ts";
import { ClusterSession } from "../../src/client/session.ts";
import { checkConfig } from "../../src/runtime/config.ts";
import { readConfigFile } from "../../src/runtime/files.ts";
import { decodeIdentity } from "../../src/runtime/identity.ts";
import { parseStrictJson } from "../../src/runtime/strict-json.ts";
import { SmallTown } from "./small-town.ts";

/** JSON.parse reads it, and JSON.stringify has no stack for it. */
const deep = "[".repeat(30_000) + "]".repeat(30_000);
const cycle: unknown[] = [];
cycle.push(cycle);
const limits = { keyBytesMax: 1024, valueBytesMax: 1 << 20 };

test.each(["key", "keyBase64", "valueBase64"])("a line whose %s is deep is no entry", (name) => {
  const parse = lineParser({ format: "ndjson", encoding: "text" }, limits);
  const found = parse(`{"${name}":${deep}}`);
  expect(found).toEqual({ problem: `"${name}" is not a string but "${"[".repeat(64)}…"` });
});

test.each([
  ["deep", JSON.parse(deep)],
  ["a BigInt", 1n],
  ["a cycle", cycle],
])("a setting that is %s is said to be wrong, and the rest, too", async (_what, weight) => {
  const checked = checkConfig({ data: "n1", weight, n: 9 });
  await expect(checked).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  await expect(checked).rejects.toThrow(/weight must be .* got a value of type .*\n.*n must be/);
});

test("a settings file that is deep is refused with words of ours", () => {
  expect(() => parseStrictJson(`{"tuning":${deep}}`)).toThrow(/nested/);
});

test("a settings file that is larger than any is not read", () => {
  const base = mkdtempSync(join(tmpdir(), "everwrite-found-"));
  try {
    const path = join(base, "node.json");
    writeFileSync(path, `{"data":"n1"}${" ".repeat(5 << 20)}`, { mode: 0o600 });
    expect(() => readConfigFile(path)).toThrow(/more than 4194304/);
  } finally {
    rmSync(base, { recursive: true });
  }
});

test.each(["null", "7", '"x"', "[]"])("an identity that is %s is damage", (text) => {
  const bytes = new TextEncoder().encode(text);
  expect(() => decodeIdentity(bytes, "n1")).toThrow(
    expect.objectContaining({ code: "CORRUPTION" }),
  );
});

test("a session's token whose key is a list is none", () => {
  const unused = () => Promise.reject(new Error("nothing is read"));
  const bucket = {
    ...{ get: unused, put: unused, delete: unused, update: unused, getMany: unused },
    scan: () => {
      throw new Error("nothing is read");
    },
  };
  const token = Buffer.from(`[[${deep},[]]]`).toString("base64url");
  expect(() => new ClusterSession({ bucket, timeoutMs: 1000, n: () => 3 }, token)).toThrow(
    expect.objectContaining({ code: "CONTEXT_INVALID" }),
  );
});

test.each([
  ...["null", "7", "[]", '{"ask":"versions"}', '{"ask":"versions","bucket":"","key":"6"}'],
  ...['{"ask":"checkpoint","name":"../../etc","node":0}', `{"ask":"versions","bucket":${deep}}`],
])("a question of a peer that is %.40s is answered with what is wrong", (question) => {
  const town = new SmallTown();
  town.tell({
    ...{ kind: "message", now: 1000, from: 2 },
    message: { kind: "survey", request: 9, question },
  });
  const failure = JSON.stringify({ failure: "unknown question" });
  expect(town.sent).toContainEqual([2, { kind: "survey-reply", request: 9, answer: failure }]);
});

test.each(["null", '{"epoch":5}', '{"hints":7}', deep])(
  "an answer of a peer that is %.40s counts as none",
  (answer) => {
    const town = new SmallTown();
    for (const from of [2, 3, 4]) {
      const message = { kind: "ping", sequence: 1 } as const;
      town.tell({ kind: "message", now: 1000, from, message });
    }
    const command = { kind: "admin", name: "hints", arguments: "", deadlineMs: 1000 } as const;
    town.tell({ kind: "request", now: 1000, id: 7, command, by: "root" });
    for (const from of [2, 3, 4]) {
      const message = { kind: "survey-reply", request: 1, answer } as const;
      town.tell({ kind: "message", now: 1001, from, message });
    }
    expect(town.replies).toEqual([{ kind: "answer", json: '{"hints":[]}' }]);
  },
);

test.each(["leave", "remove", "weight"])("%s of a node that is a deep list is refused", (kind) => {
  const town = new SmallTown();
  const text = `{"kind":"${kind}","node":${deep}}`;
  for (const name of ["plan", "leave", "remove", "weight", "change"]) {
    const command = { kind: "admin", name, arguments: text, deadlineMs: 1000 } as const;
    town.tell({ kind: "request", now: 1000, id: 7, command, by: "root" });
  }
  expect(town.replies.length).toBeGreaterThan(0);
  for (const reply of town.replies) expect(reply).toMatchObject({ kind: "failed" });
});
