/** What the proxies do to connections: the faults that a run believes it makes are made. */
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { seededRandom } from "../../src/core/random.ts";
import { calm, Links } from "./links.ts";
import { NodeProxy } from "./proxy.ts";
import { scheduleOf } from "./schedule.ts";

const closers: (() => unknown)[] = [];

afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

/** A server that answers each text with the same in capitals, behind the proxy of place 1. */
async function open() {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.setEncoding("latin1").on("data", (text: string) => {
      heard.push(text);
      socket.write(text.toUpperCase(), "latin1");
    });
  });
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  closers.push(() => server.close());
  const { port } = server.address() as { port: number };
  const links = new Links();
  const proxy = await NodeProxy.open({
    ...{ place: 1, host: "127.0.0.1", target: { host: "127.0.0.1", port }, links },
    random: seededRandom(1),
    whoDials: () => 2,
  });
  closers.push(() => proxy.close());
  return { links, heard, dial: () => dial(proxy.address) };
}

function dial(address: string) {
  const [host = "", port = ""] = address.split(":");
  const socket: Socket = connect({ host, port: Number(port) });
  const seen = { text: "", isOver: false };
  socket.on("error", () => undefined);
  socket.on("close", () => {
    seen.isOver = true;
  });
  socket.setEncoding("latin1").on("data", (text: string) => {
    seen.text += text;
  });
  closers.push(() => socket.destroy());
  return { socket, seen };
}

const there = { from: 2, to: 1 };
const back = { from: 1, to: 2 };

test("what is sent on a cut link waits, in order, and arrives when it is mended", async () => {
  const { links, heard, dial: dialNow } = await open();
  const { socket, seen } = dialNow();
  socket.write("a");
  await vi.waitFor(() => expect(seen.text).toBe("A"));
  links.cut([there]);
  for (const text of "bcd") socket.write(text);
  await settled();
  expect(heard.join("")).toBe("a");
  links.mend([there], { reset: false });
  await vi.waitFor(() => expect(seen.text).toBe("ABCD"));
});

test("a link that is cut one way carries the other", async () => {
  const { links, heard, dial: dialNow } = await open();
  const { socket, seen } = dialNow();
  socket.write("a");
  await vi.waitFor(() => expect(seen.text).toBe("A"));
  links.cut([back]);
  socket.write("b");
  await vi.waitFor(() => expect(heard.join("")).toBe("ab"));
  expect(seen.text).toBe("A");
  links.mend([back], { reset: true });
});

test("who dials over a cut link gets no answer until it is mended", async () => {
  const { links, dial: dialNow } = await open();
  links.cut([there]);
  const { socket, seen } = dialNow();
  socket.write("a");
  await settled();
  expect(seen.text).toBe("");
  links.mend([there], { reset: false });
  await vi.waitFor(() => expect(seen.text).toBe("A"));
});

test("a mended link may break its connections", async () => {
  const { links, dial: dialNow } = await open();
  const { socket, seen } = dialNow();
  socket.write("a");
  await vi.waitFor(() => expect(seen.text).toBe("A"));
  links.cut([there]);
  links.mend([there], { reset: true });
  await vi.waitFor(() => expect(seen.isOver).toBe(true));
});

test("a dead connection stays open and carries nothing", async () => {
  const { links, heard, dial: dialNow } = await open();
  const { socket, seen } = dialNow();
  socket.write("a");
  await vi.waitFor(() => expect(seen.text).toBe("A"));
  expect(links.mute(there)).toBe(1);
  socket.write("b");
  await settled();
  expect([heard.join(""), seen.isOver]).toEqual(["a", false]);
  const other = dialNow();
  other.socket.write("c");
  await vi.waitFor(() => expect(other.seen.text).toBe("C"));
});

test("spoilt pieces differ in one bit, and slow ones come late and in order", async () => {
  const { links, heard, dial: dialNow } = await open();
  const { socket, seen } = dialNow();
  socket.write("a");
  await vi.waitFor(() => expect(seen.text).toBe("A"));
  links.setWeather([there], { ...calm, corruptOneIn: 1 });
  socket.write("a");
  await vi.waitFor(() => expect(heard).toHaveLength(2));
  const flipped = (heard[1] ?? "").charCodeAt(0) ^ "a".charCodeAt(0);
  expect(Math.log2(flipped) % 1).toBe(0);
  links.setWeather([there], { ...calm, delayMs: 20, jitterMs: 20, bytesPerSecond: 1_000 });
  heard.length = 0;
  for (let i = 0; i < 10; i++) {
    socket.write(String(i));
    await settled();
  }
  await vi.waitFor(() => expect(heard.join("")).toBe("0123456789"));
});

test("without one kind, the other faults strike at the same times and draw the same", () => {
  const kinds = ["a", "b", "c"].map((name, i) => ({ name, everyMs: 500 * (i + 1) }));
  const all = scheduleOf(7, { ms: 60_000, kinds });
  const some = scheduleOf(7, { ms: 60_000, kinds: kinds.filter(({ name }) => name !== "b") });
  const shown = (strikes: typeof all) =>
    strikes
      .filter(({ kind }) => kind !== "b")
      .map(({ atMs, kind, random }) => [atMs, kind, random.below(1_000)]);
  expect(shown(some)).toEqual(shown(all));
  expect(all.length).toBeGreaterThan(some.length);
  expect(scheduleOf(8, { ms: 60_000, kinds }).map(({ atMs }) => atMs)).not.toEqual(
    all.map(({ atMs }) => atMs),
  );
});

/** Long enough for whatever would arrive to arrive. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 30));
}
