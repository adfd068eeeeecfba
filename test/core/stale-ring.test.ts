/** A node stays in the latest epoch that it has acted on, whatever it is told, and however late. */
import { expect, test } from "vitest";
import { setWeight } from "../../src/core/members/changes.ts";
import { decodeRing } from "../../src/core/wire/ring.ts";
import { Council } from "../support/council.ts";

const seed = Number(process.env["SEED"] ?? 1);

test("a ring of an earlier epoch is neither taken over nor saved", () => {
  const council = new Council({ seed, members: 3 });
  council.run(20);
  const seat = council.seats.get(2)!;
  const earlier = seat.state;
  council.propose(1, (state) => setWeight(state, 1, 2));
  council.run(1_000);
  expect(seat.state.epoch).toBe(2);
  // Nobody is there to tell it better.
  council.isCut = () => true;
  council.receive(2, 1, { kind: "ring", state: earlier });
  council.run(1_000);
  expect(seat.state.epoch).toBe(2);
  expect(decodeRing(seat.meta.get("ring")!)?.epoch).toBe(2);
});
