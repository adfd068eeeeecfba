/**
 * File names: what is ours and what is not, since opening removes what is ours and not needed.
 */
import { expect, test } from "vitest";
import {
  logName,
  manifestName,
  parseName,
  pathIn,
  tableName,
} from "../../native-free-engine/files.ts";

const numbers = [1, 33, 999_999, 1_000_000, Number.MAX_SAFE_INTEGER];

test("a name says the kind and the number it was made from", () => {
  expect([tableName(33), logName(34), manifestName(12)]).toEqual([
    "000033.sst",
    "000034.log",
    "MANIFEST-000012",
  ]);
  for (const number of numbers) {
    expect(parseName(tableName(number))).toEqual({ kind: "table", number });
    expect(parseName(logName(number))).toEqual({ kind: "log", number });
    expect(parseName(manifestName(number))).toEqual({ kind: "manifest", number });
  }
  expect(parseName("CURRENT")).toEqual({ kind: "current", number: 0 });
  expect(parseName("LOCK")).toEqual({ kind: "lock", number: 0 });
});

test("a temporary file is known by what it was to become", () => {
  expect(parseName("CURRENT.tmp")).toEqual({ kind: "temporary", number: 0 });
  expect(parseName("000033.sst.tmp")).toEqual({ kind: "temporary", number: 33 });
  expect(parseName("notes.tmp").kind).toBe("other");
  expect(parseName("CURRENT.tmp.tmp").kind).toBe("other");
  expect(parseName(".tmp").kind).toBe("other");
});

test("a name that we would write otherwise is not ours", () => {
  const strangers = [
    "",
    "33.sst",
    "0000033.sst",
    "000000.sst",
    "000033.SST",
    "000033.sst ",
    "000033.ldb",
    "000033",
    "-00033.sst",
    "0x0033.sst",
    "MANIFEST-12",
    "MANIFEST-000012.sst",
    "MANIFEST-000012.log",
    "manifest-000012",
    "9007199254740993.sst",
    "99999999999999999999.log",
    "current",
    "lock",
    "٠٠٠٠٣٣.sst",
  ];
  for (const name of strangers) expect(parseName(name), name).toEqual({ kind: "other", number: 0 });
});

test("a path is the directory and the name", () => {
  expect(pathIn("/db", tableName(7))).toBe("/db/000007.sst");
});
