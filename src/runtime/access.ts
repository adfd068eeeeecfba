/**
 * Who may do what. A role stands for verbs; a token may be held to prefixes of keys besides. Judged
 * for every command once it is decoded, at the node that the client is connected to, and before it
 * has any effect: what nodes pass on to each other is judged already.
 */
import { unreachable } from "../../native-free-engine/base/assert.ts";
import { failed } from "../core/failure.ts";
import type { Command, Failed } from "../core/message.ts";

export type Role = "read" | "write" | "admin";

export const roles: readonly Role[] = ["read", "write", "admin"];

/** Keys of one bucket that begin alike. */
export interface Scope {
  readonly bucket: string;
  readonly prefix: Uint8Array;
}

export interface Principal {
  /** For the log: `token ada`, `certificate ada`, `anyone`, `node`. */
  readonly name: string;
  /** `newcomer`: a node that asks to be let in. */
  readonly role: Role | "newcomer";
  /** Undefined: every key. */
  readonly scopes: readonly Scope[] | undefined;
}

/** What everybody is told anyway: a client that watches the ring learns the same. */
const forEverybody: ReadonlySet<string> = new Set([
  ...["ring", "ring-record", "status", "bucket-list"],
]);
const ofNewcomers: ReadonlySet<string> = new Set(["ring", "ring-record", "join"]);

/** Why the command is not for them; undefined when it is. */
export function refusalOfCommand(principal: Principal, command: Command): Failed | undefined {
  const { role, name } = principal;
  switch (command.kind) {
    case "get":
      return refusalOfData(principal, "get", { bucket: command.key.bucket, at: command.key.bytes });
    case "scan":
      return refusalOfData(principal, "scan", { bucket: command.bucket, at: command.prefix });
    case "put": {
      const verb = command.value === undefined ? "delete" : "put";
      if (role === "read") return forbidden(`${name} may read only, not ${verb}`);
      return refusalOfData(principal, verb, { bucket: command.key.bucket, at: command.key.bytes });
    }
    case "admin": {
      if (role === "newcomer") {
        if (ofNewcomers.has(command.name)) return undefined;
        return forbidden(`a node that asks to be let in may not ask for ${command.name}`);
      }
      // Its answer holds the keys of contexts: they are for nodes, whoever the client is.
      if (command.name === "join") return forbidden("only a node that proves to be one may join");
      if (role === "admin" || forEverybody.has(command.name)) return undefined;
      return forbidden(`${name} has the role ${role}, and ${command.name} is for admin`);
    }
    default:
      return unreachable(command);
  }
}

function refusalOfData(
  { role, name, scopes }: Principal,
  verb: string,
  { bucket, at }: { readonly bucket: string; readonly at: Uint8Array },
): Failed | undefined {
  if (role === "newcomer") return forbidden("a node that asks to be let in has no data to ask for");
  if (scopes === undefined || scopes.some((scope) => holds(scope, bucket, at))) return undefined;
  const what = verb === "scan" ? "a scan of this prefix" : `${verb} of this key`;
  return forbidden(`${name} is held to prefixes, and ${what} is outside of them`);
}

/** What begins with a longer text begins with the scope's, too. */
function holds({ bucket, prefix }: Scope, wanted: string, at: Uint8Array): boolean {
  if (bucket !== wanted || at.length < prefix.length) return false;
  return prefix.every((byte, i) => byte === at[i]);
}

function forbidden(message: string): Failed {
  return failed("FORBIDDEN", message);
}
