/**
 * cert: certificates for a first cluster with TLS, in three commands. Each writes a certificate and
 * its key into one directory, and says what to type next. Nothing is ever written over.
 */
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { CommandError, exits, usage } from "../exit.ts";
import { exists, makePrivateDirectory, readText, removeFile, writeNewFile } from "../files.ts";
import type { Invocation } from "../invocation.ts";
import {
  checkName,
  createAuthority,
  type Holder,
  issue,
  parseHosts,
  type Role,
  validFor,
} from "./authority.ts";
import type { Pair } from "./certificate.ts";

const authorityDays = 3650;
const holderDays = 825;
const daysMax = 36_500;
const roles: readonly Role[] = ["admin", "write", "read"];

export async function cert(invocation: Invocation): Promise<number> {
  const [action] = invocation.args;
  if (action === "create-ca") return createCa(invocation);
  if (action === "create-node") return createNode(invocation);
  if (action === "create-client") return createClient(invocation);
  throw usage(
    `cert does not know ${JSON.stringify(action)}`,
    "kvctl cert create-ca, create-node HOST,IP or create-client NAME",
  );
}

async function createCa(invocation: Invocation): Promise<number> {
  refuseOptions(invocation, ["role", "name"]);
  if (invocation.args[1] !== undefined) throw usage("create-ca takes no name");
  const days = daysOf(invocation, authorityDays);
  const directory = directoryOf(invocation);
  makePrivateDirectory(directory);
  const files = filesOf(directory, "ca");
  await refuseExisting(files);
  const pair = createAuthority(validFor(days));
  await write(files, pair);
  return told(invocation, { files, pair }, [
    `Keep ${files.key} offline: who has it makes nodes and clients of this cluster.`,
    "next: a certificate for the nodes, with all names and addresses they are dialled by",
    `  kvctl cert create-node localhost,127.0.0.1 --dir ${directory}`,
  ]);
}

async function createNode(invocation: Invocation): Promise<number> {
  refuseOptions(invocation, ["role"]);
  const [, list] = invocation.args;
  if (list === undefined) {
    throw usage("which hosts?", "kvctl cert create-node node1.example.com,10.0.0.1");
  }
  const hosts = parseHosts(list);
  const given = invocation.options["name"];
  const name = checkName(typeof given === "string" ? given : "node");
  const directory = directoryOf(invocation);
  const { files, pair } = await issueInto(invocation, name, { kind: "node", name, hosts });
  const tls = flagsOf(directory, files);
  return told(invocation, { files, pair }, [
    "next: a certificate for whoever uses the cluster, then the nodes",
    `  kvctl cert create-client NAME --role admin --dir ${directory}`,
    `  kvctl serve --data n1 --listen ${hosts[0]}:7400 ${tls}`,
    `  kvctl serve --data n2 --listen ${hosts[0]}:7401 --join ${hosts[0]}:7400 ${tls}`,
  ]);
}

async function createClient(invocation: Invocation): Promise<number> {
  refuseOptions(invocation, ["name"]);
  const [, given] = invocation.args;
  if (given === undefined) throw usage("which name?", "kvctl cert create-client NAME --role read");
  const name = checkName(given);
  const role = roleOf(invocation);
  const directory = directoryOf(invocation);
  const stem = `client.${name}`;
  const { files, pair } = await issueInto(invocation, stem, { kind: "client", name, role });
  const tls = flagsOf(directory, files);
  return told(invocation, { files, pair }, [
    `${name} may ${meanings[role]}. next:`,
    `  kvctl -e HOST:7400 ${tls} put greeting hello`,
  ]);
}

const meanings: Readonly<Record<Role, string>> = {
  read: "read",
  write: "read and write",
  admin: "read, write and administer",
};

function flagsOf(directory: string, { certificate, key }: Pair): string {
  return `--tls-ca ${join(directory, "ca.crt")} --tls-cert ${certificate} --tls-key ${key}`;
}

async function issueInto(invocation: Invocation, stem: string, holder: Holder) {
  const directory = directoryOf(invocation);
  const days = daysOf(invocation, holderDays);
  const files = filesOf(directory, stem);
  const authority = filesOf(directory, "ca");
  if (!exists(authority.certificate) || !exists(authority.key)) {
    throw new CommandError("FILE", `there is no authority in ${directory}: ca.crt and ca.key`, {
      hint: `kvctl cert create-ca --dir ${directory} makes one`,
    });
  }
  await refuseExisting(files);
  const pair = issue(
    { certificate: await readText(authority.certificate), key: await readText(authority.key) },
    holder,
    validFor(days),
  );
  await write(files, pair);
  return { files, pair };
}

function filesOf(directory: string, stem: string): Pair {
  return { certificate: join(directory, `${stem}.crt`), key: join(directory, `${stem}.key`) };
}

async function refuseExisting({ certificate, key }: Pair): Promise<void> {
  const there = [certificate, key].find(exists);
  if (there !== undefined) {
    throw new CommandError("FILE_EXISTS", `${there} is there already, and is never written over`);
  }
}

/** A certificate without its key would be of no use, and in the way of the next attempt. */
async function write(files: Pair, pair: Pair): Promise<void> {
  await writeNewFile(files.key, pair.key, { mode: 0o600 });
  try {
    await writeNewFile(files.certificate, pair.certificate, { mode: 0o644 });
  } catch (error) {
    await removeFile(files.key);
    throw error;
  }
}

async function told(
  { output }: Invocation,
  { files, pair }: { readonly files: Pair; readonly pair: Pair },
  lines: readonly string[],
): Promise<number> {
  const { subject, subjectAltName, validTo, fingerprint256 } = new X509Certificate(
    pair.certificate,
  );
  const until = new Date(validTo).toISOString();
  const said = {
    ...{ certificate: files.certificate, key: files.key, until },
    ...{ subject: subject.replaceAll("\n", ", "), names: subjectAltName, fingerprint256 },
  };
  const head = `wrote ${files.certificate} and ${files.key}, valid until ${until.slice(0, 10)}\n`;
  await output.result(said, head);
  if (!output.json) for (const line of lines) output.note(line);
  return exits.ok;
}

function directoryOf({ options }: Invocation): string {
  const { dir } = options;
  return typeof dir === "string" && dir !== "" ? dir : "certs";
}

function daysOf({ options }: Invocation, otherwise: number): number {
  const { days } = options;
  if (days === undefined) return otherwise;
  const count = /^\d+$/.test(String(days)) ? Number(days) : 0;
  if (count >= 1 && count <= daysMax) return count;
  throw usage(`--days is a whole number from 1 to ${daysMax}, got ${JSON.stringify(days)}`);
}

function roleOf({ options }: Invocation): Role {
  const { role = "read" } = options;
  const known = roles.find((name) => name === role);
  if (known !== undefined) return known;
  throw usage(`--role is read, write or admin, got ${JSON.stringify(role)}`);
}

function refuseOptions({ options }: Invocation, names: readonly string[]): void {
  const misplaced = names.find((name) => options[name] !== undefined);
  if (misplaced !== undefined) throw usage(`--${misplaced} means nothing here`);
}
