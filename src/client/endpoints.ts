/** Addresses as people write them: `HOST:PORT`, several with commas or as a list. */
import { ClusterError } from "../errors.ts";

export const portDefault = 7400;

export function parseEndpoints(given: string | readonly string[]): readonly string[] {
  if (typeof given !== "string" && !isTexts(given)) {
    throw new TypeError("endpoints are a string, or a list of strings: HOST:PORT");
  }
  const parts = (typeof given === "string" ? given.split(",") : given).map((part) => part.trim());
  const addresses = parts.filter((part) => part !== "").map(parseEndpoint);
  if (addresses.length > 0) return [...new Set(addresses)];
  throw new ClusterError("INVALID_ARGUMENT", "name at least one node, as HOST:PORT");
}

/** `HOST`, `HOST:PORT` or `[IPv6]:PORT`, with the port filled in. */
export function parseEndpoint(text: string): string {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s/@?#\\]+)(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[2] === undefined ? portDefault : Number(match[2]);
  if (match === null || port < 1 || port > 65_535 || !URL.canParse(`ws://${match[1]}:${port}/`)) {
    throw new ClusterError(
      "INVALID_ARGUMENT",
      `an endpoint is HOST:PORT with a port from 1 to 65535, not ${JSON.stringify(text)}`,
    );
  }
  return `${match[1]}:${port}`;
}

function isTexts(given: unknown): given is readonly string[] {
  return Array.isArray(given) && given.every((part) => typeof part === "string");
}
