/** What the coordinator shows besides single keys: the time line of a request, and scans. */
import { describe, expect, test } from "vitest";
import { keyOf } from "../../src/core/key.ts";
import { keyNamed, QuorumWorld, type WorldOptions } from "../support/quorum-world.ts";

const cart = keyNamed("cart");
const three: WorldOptions = { nodes: 3, n: 3, r: 2, w: 2, owners: [1, 2, 3] };

describe("a trace", () => {
  test("tells a read's time line: who was asked, who answered, who is behind", () => {
    const world = new QuorumWorld(three);
    world.link(1, 2, "lost");
    world.request(1, world.put(cart, "milk", { w: 1 }));
    world.link(1, 2, "open");
    world.request(1, world.get(cart, { trace: true }));
    const result = world.results.at(-1);
    const lines = JSON.parse((result?.kind === "found" && result.trace) || "[]");
    expect(
      lines.map(({ node, what }: { node: number; what: string }) => `${node} ${what}`),
    ).toEqual([
      "1 coordinates: partition 0, owners 1 2 3, r=2",
      "1 asked",
      "2 asked for a digest",
      "1 answers 1 values",
      "2 answers a digest",
      "2 is behind: repaired afterwards",
      "1 answers: 1 values",
    ]);
  });

  test("of a forwarded write holds both halves", () => {
    const world = new QuorumWorld({ ...three, nodes: 4 });
    world.request(4, world.put(cart, "milk", { trace: true }));
    const result = world.results.at(-1);
    const lines = JSON.parse((result?.kind === "stored" && result.trace) || "[]");
    const said = lines.map(({ node, what }: { node: number; what: string }) => `${node} ${what}`);
    expect(said).toContain("1 asked to coordinate");
    expect(said).toContain("1 sends the version");
    expect(said).toContain("1 answers after 2 acks");
  });
});

describe("a scan", () => {
  const all = Array.from({ length: 60 }, (_, i) => `key${i}`);

  function scanned(world: QuorumWorld, limit: number): string[] {
    const found: string[] = [];
    let after: Parameters<typeof keyOf>[1] | undefined;
    for (;;) {
      world.request(1, {
        ...{ kind: "scan", partition: 0, limit, bucket: "", prefix: new Uint8Array(0) },
        after: after === undefined ? undefined : keyOf("", after),
        deadlineMs: 1_000,
      });
      world.wait(600);
      const page = world.results.at(-1);
      if (page?.kind !== "page") throw new Error(JSON.stringify(page));
      found.push(...page.entries.map(({ key }) => new TextDecoder().decode(key.bytes)));
      after = page.next?.bytes;
      if (after === undefined) return found.sort();
    }
  }

  test("shows all keys once, also those that one of its replicas lacks", () => {
    const world = new QuorumWorld({ ...three, w: 1 });
    for (const [i, name] of all.entries()) {
      world.link(1, 2, i % 3 === 0 ? "lost" : "open");
      world.request(1, world.put(keyNamed(name), "v"));
    }
    expect(scanned(world, 7)).toEqual([...all].sort());
    expect(scanned(world, 1_000)).toEqual([...all].sort());
  });

  test("goes round a silent owner, and does without one that is rebuilding", () => {
    const world = new QuorumWorld({ ...three, w: 3 });
    for (const name of all) world.request(1, world.put(keyNamed(name), "v"));
    world.link(1, 2, "lost");
    expect(scanned(world, 50)).toHaveLength(60);
    world.link(1, 2, "open");
    world.node(2).standing = "rebuilding";
    expect(scanned(world, 50)).toHaveLength(60);
    world.down(3);
    expect(() => scanned(world, 50)).toThrow(/QUORUM_UNAVAILABLE/);
  });
});

describe("a read at a node that is rebuilding", () => {
  function rebuilding(): QuorumWorld {
    const world = new QuorumWorld({ ...three, w: 3 });
    world.request(2, world.put(cart, "milk"));
    world.node(1).standing = "rebuilding";
    world.log.length = 0;
    return world;
  }

  test("asks the others at once, and itself not at all", () => {
    const world = rebuilding();
    world.request(1, world.get(cart, { r: 2 }));
    expect(world.results.at(-1)).toMatchObject({ kind: "found" });
    const asked = world.log.filter((line) => line.startsWith("n1 > "));
    expect(asked.map((line) => line.slice(0, 7))).toEqual(["n1 > n2", "n1 > n3"]);
  });

  test("asks itself when another is dead: what it has counts, that it has nothing does not", () => {
    const world = rebuilding();
    world.down(3);
    world.request(1, world.get(cart, { r: 2 }));
    expect(world.results.at(-1)).toMatchObject({ kind: "found" });
  });
});
