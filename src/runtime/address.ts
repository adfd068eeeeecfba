/** HOST:PORT as people write it, IPv6 in brackets, and which hosts only this machine can reach. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The longest name that the domain name system knows, and a port. */
const addressLengthMax = 260;

/**
 * Undefined when it is not of the form HOST:PORT with a port from 0 to 65535, or when no URL can
 * hold it: nobody could dial it, and whoever tried would get an exception instead of a failure.
 */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/[\]@?#]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  const isWrong = host === undefined || port > 65_535 || text.length > addressLengthMax;
  return isWrong || !URL.canParse(`ws://${text}/`) ? undefined : { host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Such an address means every interface: others cannot dial it. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
