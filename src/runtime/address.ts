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

/**
 * Whom an address belongs to, for counting: of IPv6 everybody has 2^64, so the first half names
 * them. An IPv4 address in IPv6's clothes is that IPv4 address.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [plain = ""] = address.split("%");
  const [head = "", tail] = plain.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: gap }, () => "0"), ...after];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
