/** The example of the shopping cart, as a user runs it. */
import { expect, test } from "vitest";
import { kvctl } from "./run-kvctl.ts";

test("the cart: union brings back what was taken out, the OR-Set does not", async () => {
  const ran = await kvctl(["demo", "--cart", "--json"]);
  expect(ran.code, ran.stderr).toBe(0);
  expect(JSON.parse(ran.stdout)).toEqual({
    union: ["book", "lamp", "pen"],
    orSet: ["book", "lamp"],
  });
});
