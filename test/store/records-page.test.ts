/** RECORDS.md says what a node's directory holds, byte for byte. */
import { expect, test } from "vitest";
import type { Versions } from "../../src/core/clock/versions.ts";
import { keyOf } from "../../src/core/key.ts";
import { copyKey, metaKey, own } from "../../src/store/keyspace.ts";
import { decodeRecord, encodeRecord } from "../../src/store/record.ts";
import { bytesInPage, hex, textOfPage } from "../support/format-page.ts";
import { readSources } from "../support/sources.ts";
import { ask, closeStore, openStore } from "./store-fixture.ts";

const path = "src/store/RECORDS.md";
const then = 1_700_000_000_000;
const [one, two] = ["0000000000000001", "0000000000000002"];
const actors = {
  indexOf: (actor: string) => Number.parseInt(actor, 16),
  actorAt: (index: number) => index.toString(16).padStart(16, "0"),
};

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const milk = {
  dot: { actor: two, counter: 300 },
  operation: { at: then, nonce: 5, retried: false },
  time: then,
  expiresAt: 0,
  value: bytes("milk"),
};
const whole: Versions = {
  vector: [
    { actor: one, counter: 3, time: 0 },
    { actor: two, counter: 300, time: 0 },
  ],
  dots: [],
  operations: [],
  siblings: [milk],
};
const remembering: Versions = {
  ...{ ...whole, siblings: [] },
  operations: [
    { at: then, nonce: 5, retried: false },
    { at: then - 250, nonce: 6, retried: true },
    { at: then - 250, nonce: 4, retried: false },
  ],
};
const stripped: Versions = {
  ...{ vector: [], dots: [], operations: [] },
  siblings: [{ ...milk, operation: undefined }],
};

test("keys are as the page shows them", () => {
  const data = copyKey(keyOf("", bytes("cart")), own).slice();
  expect(hex(data)).toBe(hex(bytesInPage("data-key", path)));
  const hint = copyKey(keyOf("shop", bytes("cart")), 4).slice();
  expect(hex(hint)).toBe(hex(bytesInPage("hint-key", path)));
});

for (const [name, versions] of [
  ["whole-record", whole],
  ["remembering-record", remembering],
  ["stripped-record", stripped],
] as const) {
  test(`a ${name} is written and read as the page shows it`, () => {
    const shown = bytesInPage(name, path);
    expect(hex(encodeRecord(versions, actors, { keepTimes: false }))).toBe(hex(shown));
    expect(decodeRecord(shown, actors)).toEqual({ kind: "versions", versions });
  });
}

test("a floor is saved as the page shows it, and read again", async () => {
  const opened = await openStore();
  const { store, engine } = opened;
  await store.ready();
  const events = [
    { actor: one, counter: 3 },
    { actor: two, counter: 300 },
  ];
  const floor = { round: 65_537, events, expiredBefore: then };
  await ask(store, { kind: "promise", partition: 2, round: 65_538 });
  await ask(store, { kind: "raise-floor", partition: 2, floor });
  const saved = (await engine.get(metaKey("floor.2"))) ?? new Uint8Array(0);
  expect(hex(saved)).toBe(hex(bytesInPage("floor", path)));
  await closeStore(opened);
  const again = await openStore(opened.disk);
  const read = await ask(again.store, { kind: "read-floor", partition: 2 });
  expect(read).toEqual({ kind: "floor", floor, promised: 65_538 });
  await closeStore(again);
});

test("the page names every fact that a node saves", () => {
  const text = textOfPage(path);
  const sources = readSources().filter(({ path: place }) => place.startsWith("src/"));
  const names = sources.flatMap(({ text: code }) =>
    [...code.matchAll(/(?:[a-z]Name = |"save-meta", name: )"([a-z-]+)"/g)].map(([, name]) => name),
  );
  expect(names.length).toBeGreaterThan(6);
  expect(names.filter((name) => !text.includes(`| \`${name}\``))).toEqual([]);
});

test("operations that are not sorted are damage, not a guess", () => {
  const shown = bytesInPage("remembering-record", path).slice();
  // So much earlier that the second began before 1970.
  const early = [...shown.subarray(0, 0x12), ...[0x81, 0xa0, 0xab, 0xfe, 0xf9, 0x7f]];
  const bytesOf = Uint8Array.from([...early, ...shown.subarray(0x14)]);
  expect(decodeRecord(bytesOf, actors)).toMatchObject({
    kind: "invalid",
    why: expect.stringContaining("operations that are not sorted"),
  });
});
