/**
 * token: the file of clients' tokens that a node is given with --token-file. A token is printed
 * once and kept nowhere; the file holds its hash. Nodes see within seconds that it has changed.
 */
import { createHash, randomBytes } from "node:crypto";
import type { TokenEntry } from "../../src/runtime/tokens.ts";
import { CommandError, exits, usage } from "../exit.ts";
import { exists, readSecret, writeNewFile, writeSecret } from "../files.ts";
import type { Invocation } from "../invocation.ts";
import { table } from "../table.ts";
import { parseDuration } from "../units.ts";

const roles = ["read", "write", "admin"];
const secretBytes = 32;

/** As the file holds it; what is not ours to know stays as it is. */
interface Line extends Readonly<Record<string, unknown>> {
  readonly name: string;
}

export async function token(invocation: Invocation): Promise<number> {
  const [action, subject] = invocation.args;
  if (action === "create") return create(invocation);
  if (action === "list") return list(invocation);
  if (action === "revoke") return revoke(invocation, subject);
  if (action === "secret") return secret(invocation, subject);
  throw usage(
    `token does not know ${JSON.stringify(action)}`,
    "kvctl token create, list, revoke NAME or secret FILE",
  );
}

async function create(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const role = roles.find((known) => known === options["role"]);
  if (role === undefined) {
    throw usage("which role?", "--role read, --role write or --role admin");
  }
  const path = pathOf(invocation);
  const lines = await read(path);
  const secretText = randomBytes(secretBytes).toString("base64url");
  const { name = `${role}-${randomBytes(3).toString("hex")}`, prefix: prefixes, out } = options;
  const expires = endOf(options["expires"]);
  const line: Line = {
    name: String(name),
    sha256: createHash("sha256").update(secretText).digest("hex"),
    role,
    ...(prefixes === undefined ? {} : { prefixes }),
    ...(expires === undefined ? {} : { expires }),
  };
  // First the token, where a file is to hold it: one that nobody has must not be taken.
  if (typeof out === "string") await writeNewFile(out, `${secretText}\n`, { mode: 0o600 });
  await write(path, [...lines, line]);
  const told = { name: line.name, role, prefixes, expires, file: path };
  const shown = out === undefined ? { token: secretText } : { tokenFile: out };
  await output.result({ ...told, ...shown }, out === undefined ? `${secretText}\n` : "");
  if (!output.json) {
    const where = out === undefined ? "it is shown this once" : `it is in ${out}`;
    output.note(`token ${line.name} may ${meanings[role]}; ${where}, and kept nowhere else`);
  }
  return exits.ok;
}

async function list(invocation: Invocation): Promise<number> {
  const path = pathOf(invocation);
  if (!exists(path)) throw missing(path);
  const book = await parse(path, await readSecret(path));
  const tokens = book.map(({ name, role, scopes, expires, certificate }) => ({
    name,
    role,
    certificate,
    prefixes: scopes?.map(({ bucket, prefix }) => `${bucket}:${new TextDecoder().decode(prefix)}`),
    expires: Number.isFinite(expires) ? new Date(expires).toISOString() : undefined,
  }));
  const rows = tokens.map((entry) => [
    ...[entry.name, entry.role, entry.prefixes?.join(" ") ?? "everything"],
    ...[entry.expires ?? "never", entry.certificate ?? ""],
  ]);
  const head = ["name", "role", "prefixes", "expires", "certificate"];
  await invocation.output.result({ tokens }, table(head, rows));
  return exits.ok;
}

async function revoke(invocation: Invocation, name: string | undefined): Promise<number> {
  if (name === undefined) throw usage("which token?", "kvctl token list shows their names");
  const path = pathOf(invocation);
  if (!exists(path)) throw missing(path);
  const lines = await read(path);
  const rest = lines.filter((line) => line.name !== name);
  if (rest.length === lines.length) {
    throw new CommandError("NOT_FOUND", `${path} has no token ${JSON.stringify(name)}`, {
      hint: "kvctl token list shows their names",
    });
  }
  await write(path, rest);
  await invocation.output.result({ name, file: path }, `token ${name} is taken back\n`);
  return exits.ok;
}

/** Not a token: what all nodes of a cluster hold, and show to nobody. */
async function secret({ output }: Invocation, path: string | undefined): Promise<number> {
  if (path === undefined) throw usage("which file?", "kvctl token secret peer.secret");
  const content = `${randomBytes(secretBytes).toString("base64url")}\n`;
  await writeNewFile(path, content, { mode: 0o600 });
  await output.result({ file: path }, `wrote ${path}; all nodes of the cluster need the same\n`);
  if (!output.json) output.note(`kvctl serve --peer-secret-file ${path} …`);
  return exits.ok;
}

const meanings: Readonly<Record<string, string>> = {
  read: "read",
  write: "read and write",
  admin: "read, write and administer",
};

function pathOf({ options }: Invocation): string {
  const { tokenFile } = options;
  if (typeof tokenFile === "string" && tokenFile !== "") return tokenFile;
  throw usage("which file?", "--token-file tokens.json, the same that kvctl serve is given");
}

function endOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  const text = String(given);
  if (/^\d{4}-\d\d-\d\d/.test(text)) return text;
  return new Date(Date.now() + parseDuration(text)).toISOString();
}

async function read(path: string): Promise<readonly Line[]> {
  if (!exists(path)) return [];
  const text = await readSecret(path);
  await parse(path, text);
  return (JSON.parse(text) as { readonly tokens: readonly Line[] }).tokens;
}

/** Only what a node would take is written. */
async function write(path: string, lines: readonly Line[]): Promise<void> {
  const text = `${JSON.stringify({ tokens: lines }, undefined, 2)}\n`;
  await parse(path, text);
  await writeSecret(path, text);
}

async function parse(path: string, text: string): Promise<readonly TokenEntry[]> {
  const { parseTokens } = await import("../../src/runtime/tokens.ts");
  return parseTokens(text, path).all;
}

function missing(path: string): CommandError {
  return new CommandError("FILE", `${path} is not there`, {
    hint: "kvctl token create makes it with its first token",
  });
}
