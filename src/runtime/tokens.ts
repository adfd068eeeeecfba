/**
 * The tokens of clients: a file of hashes, of which no token can be had back. A token is 32 random
 * bytes in base64url, given out once by `kvctl token create`. An entry may stand for a client's
 * certificate instead, by name, and then rules what its holder may do.
 *
 * { "tokens": [{ "name": "ada", "sha256": "…64 hex digits…", "role": "write",
 *                "prefixes": ["carts:user/"], "expires": "2030-01-01T00:00:00Z" }] }
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { bucketBytesMax } from "../core/limits.ts";
import { type Role, roles, type Scope } from "./access.ts";
import { invalidConfig } from "./config.ts";
import { parseStrictJson } from "./strict-json.ts";

export interface TokenEntry {
  readonly name: string;
  /** One of the two. */
  readonly digest: Buffer | undefined;
  readonly certificate: string | undefined;
  readonly role: Role;
  readonly scopes: readonly Scope[] | undefined;
  /** Milliseconds since 1970; from then on it is not taken any more. */
  readonly expires: number;
}

const entriesMax = 10_000;
const prefixesMax = 100;
const nameForm = /^[A-Za-z0-9._@-]{1,64}$/;
const fields = ["name", "sha256", "certificate", "role", "prefixes", "expires"];

export class TokenBook {
  readonly #byDigest: ReadonlyMap<string, TokenEntry>;
  readonly #byName: ReadonlyMap<string, TokenEntry>;
  readonly #byCertificate: ReadonlyMap<string, TokenEntry>;

  constructor(entries: readonly TokenEntry[]) {
    this.#byDigest = new Map(
      entries.flatMap((entry) =>
        entry.digest === undefined ? [] : [[headOf(entry.digest), entry] as const],
      ),
    );
    this.#byName = new Map(entries.map((entry) => [entry.name, entry]));
    this.#byCertificate = new Map(
      entries.flatMap((entry) =>
        entry.certificate === undefined ? [] : [[entry.certificate, entry] as const],
      ),
    );
  }

  get all(): readonly TokenEntry[] {
    return [...this.#byName.values()];
  }

  /** The time it takes tells at most a part of a hash, which is worth nothing. */
  find(token: string): TokenEntry | undefined {
    const digest = createHash("sha256").update(token).digest();
    const entry = this.#byDigest.get(headOf(digest));
    if (entry?.digest === undefined) return undefined;
    return timingSafeEqual(entry.digest, digest) ? entry : undefined;
  }

  ofCertificate(name: string): TokenEntry | undefined {
    return this.#byCertificate.get(name);
  }

  /** What stands there now for the holder of an earlier entry; undefined when it was revoked. */
  successorOf(earlier: TokenEntry): TokenEntry | undefined {
    const entry = this.#byName.get(earlier.name);
    if (entry === undefined || entry.certificate !== earlier.certificate) return undefined;
    const isSame = entry.digest?.equals(earlier.digest ?? Buffer.alloc(0)) ?? true;
    return isSame ? entry : undefined;
  }
}

/** Throws CONFIG_INVALID with everything that is wrong. `path` is for the message. */
export function parseTokens(text: string, path: string): TokenBook {
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch (error) {
    throw invalidConfig([`${path}: ${error instanceof Error ? error.message : error}`]);
  }
  const list = isObject(value) && Object.keys(value).length === 1 ? value["tokens"] : undefined;
  if (!Array.isArray(list) || list.length > entriesMax) {
    throw invalidConfig([`${path} must be {"tokens": […]} with at most ${entriesMax} entries`]);
  }
  const problems: string[] = [];
  const entries: TokenEntry[] = [];
  for (const [i, item] of list.entries()) {
    const entry = entryOf(item, (what) => problems.push(`${path}: token ${i + 1}: ${what}`));
    if (entry !== undefined) entries.push(entry);
  }
  problems.push(...doubles(entries).map((what) => `${path}: ${what}`));
  if (problems.length > 0) throw invalidConfig(problems);
  return new TokenBook(entries);
}

/** `bucket:prefix`; both may hold bytes as %hh, and a bucket's own colon must be written so. */
export function parseScope(text: string): Scope | undefined {
  const colon = text.indexOf(":");
  if (colon < 0) return undefined;
  const bucket = bytesOf(text.slice(0, colon));
  const prefix = bytesOf(text.slice(colon + 1));
  if (bucket === undefined || prefix === undefined || bucket.length > bucketBytesMax) {
    return undefined;
  }
  try {
    return { bucket: new TextDecoder("utf-8", { fatal: true }).decode(bucket), prefix };
  } catch {
    return undefined;
  }
}

function entryOf(item: unknown, complain: (what: string) => void): TokenEntry | undefined {
  if (!isObject(item)) {
    complain("must be an object");
    return undefined;
  }
  let isWrong = false;
  const wrong = (what: string): void => {
    isWrong = true;
    complain(what);
  };
  for (const field of Object.keys(item)) {
    if (!fields.includes(field)) wrong(`${field} is unknown; there are ${fields.join(", ")}`);
  }
  const { name, sha256, certificate, prefixes, expires } = item;
  const role = roles.find((known) => known === item["role"]);
  if (typeof name !== "string" || !nameForm.test(name)) {
    wrong("name must be 1 to 64 letters, digits, '.', '_', '@' or '-'");
  }
  if ((sha256 === undefined) === (certificate === undefined)) {
    wrong("either sha256 or certificate must be there");
  }
  // What is no hash may be the token itself, put there by mistake: it is not repeated.
  if (sha256 !== undefined && !(typeof sha256 === "string" && /^[0-9a-f]{64}$/i.test(sha256))) {
    wrong("sha256 must be the 64 hex digits of the token's hash, not the token");
  }
  if (certificate !== undefined && !(typeof certificate === "string" && certificate !== "")) {
    wrong("certificate must be the name in a client's certificate");
  }
  if (role === undefined) wrong("role must be read, write or admin");
  if (prefixes !== undefined && role === "admin") wrong("an admin is not held to prefixes");
  const scopes = scopesOf(prefixes, wrong);
  const end = expires === undefined ? Number.POSITIVE_INFINITY : dateOf(expires);
  if (Number.isNaN(end)) wrong("expires must be a time such as 2030-01-31T00:00:00Z");
  if (isWrong || role === undefined) return undefined;
  return {
    name: String(name),
    digest: typeof sha256 === "string" ? Buffer.from(sha256, "hex") : undefined,
    certificate: typeof certificate === "string" ? certificate : undefined,
    role,
    scopes,
    expires: end,
  };
}

function scopesOf(prefixes: unknown, wrong: (what: string) => void): readonly Scope[] | undefined {
  if (prefixes === undefined) return undefined;
  const scopes = Array.isArray(prefixes)
    ? prefixes.map((text) => (typeof text === "string" ? parseScope(text) : undefined))
    : [];
  const isWhole = scopes.length > 0 && scopes.length <= prefixesMax && !scopes.includes(undefined);
  if (!isWhole) wrong(`prefixes must be 1 to ${prefixesMax} texts of the form BUCKET:PREFIX`);
  return scopes.filter((scope) => scope !== undefined);
}

/** Two tokens with one head are told apart nowhere, and never met. */
function headOf(digest: Buffer): string {
  return digest.toString("hex", 0, 16);
}

function doubles(entries: readonly TokenEntry[]): readonly string[] {
  const seen = new Set<string>();
  const found: string[] = [];
  for (const { name, digest, certificate } of entries) {
    const whom = digest === undefined ? `certificate ${certificate}` : digest.toString("hex");
    for (const mark of [`name ${name}`, `for ${whom}`]) {
      if (seen.has(mark)) found.push(`token ${name} is there twice`);
      seen.add(mark);
    }
  }
  return found;
}

function dateOf(value: unknown): number {
  const form = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/;
  return typeof value === "string" && form.test(value) ? Date.parse(value) : Number.NaN;
}

/** Undefined when a % is not followed by two hex digits. */
function bytesOf(text: string): Uint8Array | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const parts = text.split(/%([0-9A-Fa-f]{2})/);
  return Buffer.concat(
    parts.map((part, i) => (i % 2 === 1 ? Buffer.from(part, "hex") : Buffer.from(part, "utf8"))),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
