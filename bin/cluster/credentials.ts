/**
 * With what kvctl proves itself to a cluster, and whom it believes there: from flags, else from the
 * environment. Secrets come from files only their owner can read, never from arguments, which every
 * user of the machine can list.
 */
import type { ConnectOptions } from "../../src/client/api.ts";
import { CommandError, usage } from "../exit.ts";
import { readSecret, readText } from "../files.ts";
import type { Invocation } from "../invocation.ts";

export async function credentialsOf({
  options,
  endpoints,
  output,
}: Invocation): Promise<Pick<ConnectOptions, "token" | "tls">> {
  const file = textOf(options["tokenFile"]);
  const token = file === undefined ? process.env["KVCTL_TOKEN"] : await readToken(file);
  const [ca, cert, key] = ["Ca", "Cert", "Key"].map(
    (name) =>
      textOf(options[`tls${name}`]) ?? textOf(process.env[`KVCTL_TLS_${name.toUpperCase()}`]),
  );
  if ((cert === undefined) !== (key === undefined)) {
    throw usage(
      cert === undefined ? "--tls-key needs --tls-cert" : "--tls-cert needs --tls-key",
      "kvctl cert create-client writes both",
    );
  }
  const isAsked = options["tls"] === true || ca !== undefined || cert !== undefined;
  if (textOf(token) !== undefined && !isAsked && !isHere(endpoints ?? "")) {
    output.note("the token goes to another machine in the clear: --tls or --tls-ca hides it");
  }
  return {
    token: textOf(token),
    tls: isAsked
      ? {
          ca: ca === undefined ? undefined : await readText(ca),
          cert: cert === undefined ? undefined : await readText(cert),
          key: key === undefined ? undefined : await readSecret(key),
        }
      : undefined,
  };
}

function isHere(endpoints: string): boolean {
  return endpoints
    .split(",")
    .every((one) => /^(localhost|127\.[\d.]+|\[::1\])(:|$)/.test(one.trim()));
}

async function readToken(path: string): Promise<string> {
  const token = (await readSecret(path)).trim();
  if (/^[\x21-\x7e]{1,512}$/.test(token) && !token.startsWith("{")) return token;
  throw new CommandError("FILE", `${path} does not hold one token and nothing else`, {
    hint: "the token is what kvctl token create printed; the file with the hashes is the nodes'",
  });
}

/** What is empty was not given. */
function textOf(given: unknown): string | undefined {
  return typeof given === "string" && given !== "" ? given : undefined;
}
