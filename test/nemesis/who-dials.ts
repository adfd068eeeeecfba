/**
 * Who is at the other end of a connection on the loopback: Linux says which process holds a port.
 * Where it does not, everybody counts as a client, and links can only be told apart by their end.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { clients, type Place } from "./links.ts";
import type { Endpoint, WhoDials } from "./proxy.ts";

const table = "/proc/net/tcp";

export function canTellDiallers(): boolean {
  return existsSync(table) && existsSync("/proc/self/fd");
}

/** `processes` gives the process of each place, if it runs. */
export function byProcess(processes: () => ReadonlyMap<Place, number>): WhoDials {
  return (remote, local) => {
    const inode = inodeOf(remote, local);
    if (inode === undefined) return clients;
    for (const [place, pid] of processes()) if (holdsSocket(pid, inode)) return place;
    return clients;
  };
}

/** The socket of the dialler: its local end is what is remote to us. */
function inodeOf(remote: Endpoint, local: Endpoint): string | undefined {
  const ends = [portIn(remote), portIn(local)];
  for (const line of readFileSync(table, "latin1").split("\n")) {
    const fields = line.trim().split(/\s+/);
    const ports = [fields[1], fields[2]].map((address) => address?.split(":")[1]);
    if (ports[0] === ends[0] && ports[1] === ends[1]) return fields[9];
  }
  return undefined;
}

function portIn({ port }: Endpoint): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

function holdsSocket(pid: number, inode: string): boolean {
  try {
    const directory = `/proc/${pid}/fd`;
    return readdirSync(directory).some((fd) => isLinkTo(`${directory}/${fd}`, inode));
  } catch {
    // The process has just ended.
    return false;
  }
}

function isLinkTo(path: string, inode: string): boolean {
  try {
    return readlinkSync(path) === `socket:[${inode}]`;
  } catch {
    return false;
  }
}
