/**
 * Who may take over whose lock: every case, without a process or a file.
 */
import { expect, test } from "vitest";
import {
  decodeLockRecord,
  encodeLockRecord,
  judge,
  type LockRecord,
  type Witness,
} from "../../native-free-engine/disk/lock-record.ts";

const record: LockRecord = {
  pid: 42,
  startTime: "1000",
  bootId: "boot",
  namespace: "",
  hostname: "host",
  since: 1.7e12,
  nonce: "nonce",
};

function witness(change: Partial<Witness> & { startTime?: string | undefined } = {}): Witness {
  const startTime = "startTime" in change ? change.startTime : "1000";
  return {
    hostname: "host",
    bootId: "boot",
    namespace: "",
    startTimeOf: (pid) => (pid === record.pid ? startTime : undefined),
    ...change,
  };
}

test("the process that wrote it, still running, holds it", () => {
  expect(judge(record, witness())).toBe("alive");
});

test("a process that is gone, or another one of that number, does not", () => {
  expect(judge(record, witness({ startTime: undefined }))).toBe("dead");
  expect(judge(record, witness({ startTime: "1001" }))).toBe("dead");
});

test("an unknown start time counts for the holder", () => {
  expect(judge(record, witness({ startTime: "" }))).toBe("alive");
  expect(judge({ ...record, startTime: "" }, witness())).toBe("alive");
});

test("nothing survives a reboot, but an unknown boot proves none", () => {
  expect(judge(record, witness({ bootId: "next" }))).toBe("dead");
  expect(judge({ ...record, bootId: "" }, witness())).toBe("alive");
  expect(judge(record, witness({ bootId: "" }))).toBe("alive");
});

test("about another host nothing is known, whatever its numbers look like", () => {
  const away = { ...record, hostname: "other" };
  for (const startTime of [undefined, "", "1000", "1001"]) {
    expect(judge(away, witness({ startTime }))).toBe("unknowable");
    expect(judge(away, witness({ startTime, bootId: "next" }))).toBe("unknowable");
  }
});

test("whoever got the kernel's lock knows that its last holder in that namespace is dead", () => {
  const held = { ...record, namespace: "net:1" };
  expect(judge(held, witness({ namespace: "net:1" }))).toBe("dead");
  expect(judge({ ...held, hostname: "old name" }, witness({ namespace: "net:1" }))).toBe("dead");
  expect(judge(held, witness({ namespace: "net:2" }))).toBe("alive");
  expect(judge(held, witness())).toBe("alive");
  // A namespace's number means nothing on another machine or after a reboot.
  const away = { ...held, hostname: "other", bootId: "its own" };
  expect(judge(away, witness({ namespace: "net:1" }))).toBe("unknowable");
  expect(judge({ ...held, bootId: "" }, witness({ namespace: "net:1", bootId: "" }))).toBe("alive");
});

test("a record comes back as it was written, and nothing else passes for one", () => {
  expect(decodeLockRecord(encodeLockRecord(record))).toEqual(record);
  const text = encodeLockRecord(record).trim();
  for (let length = 0; length < text.length; length++) {
    expect(decodeLockRecord(text.slice(0, length))).toBeUndefined();
  }
  for (const key of Object.keys(record)) {
    for (const wrong of [undefined, null, {}, true, key === "pid" || key === "since" ? "1" : 1]) {
      expect(decodeLockRecord(JSON.stringify({ ...record, [key]: wrong }))).toBeUndefined();
    }
  }
  for (const pid of [0, -1, 1.5, 2 ** 60]) {
    expect(decodeLockRecord(JSON.stringify({ ...record, pid }))).toBeUndefined();
  }
});
