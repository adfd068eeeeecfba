/**
 * Connections that have not been let in yet. Each may take its time, but only so many at a time and
 * for so long: the oldest of an address gives way to its newest, so that whoever opens hundreds and
 * dribbles loses those, while somebody else behind the same address is through in milliseconds. But
 * not sooner than half a second after it came, and only one after the other: whoever comes back at
 * once would have this node do nothing but begin handshakes of TLS. Whoever finds no room is turned
 * away before a byte of his is read.
 */

export interface LobbyLimits {
  readonly perAddressMax: number;
  readonly allMax: number;
  /** Who is here for less does not give way. */
  readonly staysMsMin: number;
  readonly staysMsMax: number;
  /** Of one address somebody gives way once in so long; of all together once in a quarter of it. */
  readonly turnMs: number;
}

export const lobbyLimits: LobbyLimits = {
  ...{ perAddressMax: 256, allMax: 2_048, staysMsMin: 500, staysMsMax: 15_000, turnMs: 20 },
};

interface Guest {
  readonly address: string;
  readonly since: number;
  readonly socket: { destroy(): unknown };
}

/** Guests in the order in which they came, and when the next of them may have to give way. */
interface Line {
  readonly names: { keys(): Iterable<string>; readonly size: number };
  turnAt: number;
}

interface AddressLine extends Line {
  readonly names: Set<string>;
}

const sweepMs = 1_000;

export class Lobby {
  readonly #limits: LobbyLimits;
  /** By address and port. */
  readonly #guests = new Map<string, Guest>();
  readonly #all: Line = { names: this.#guests, turnAt: 0 };
  readonly #ofAddress = new Map<string, AddressLine>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: LobbyLimits = lobbyLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#guests.size;
  }

  /**
   * False when there is no room. `name` tells the connection from all others: its remote address
   * and port.
   */
  enter(name: string, { address, socket }: Omit<Guest, "since">): boolean {
    const { perAddressMax, allMax, turnMs } = this.#limits;
    const line = this.#ofAddress.get(address) ?? { names: new Set<string>(), turnAt: 0 };
    if (line.names.size >= perAddressMax && !this.#makeRoom(line, turnMs)) return false;
    if (this.#guests.size >= allMax && !this.#makeRoom(this.#all, turnMs / 4)) return false;
    line.names.add(name);
    this.#ofAddress.set(address, line);
    this.#guests.set(name, { address, socket, since: performance.now() });
    this.#timer ??= setInterval(() => this.#sweep(), sweepMs).unref();
    return true;
  }

  /** It was let in, or it is gone. */
  leave(name: string): void {
    const guest = this.#guests.get(name);
    if (guest === undefined) return;
    this.#guests.delete(name);
    const names = this.#ofAddress.get(guest.address)?.names;
    names?.delete(name);
    if (names?.size === 0) this.#ofAddress.delete(guest.address);
    if (this.#guests.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    for (const name of [...this.#guests.keys()]) this.#throwOut(name);
  }

  #makeRoom(line: Line, turnMs: number): boolean {
    const now = performance.now();
    const [oldest = ""] = line.names.keys();
    const since = this.#guests.get(oldest)?.since ?? now;
    if (now < line.turnAt || now - since < this.#limits.staysMsMin) return false;
    line.turnAt = now + turnMs;
    this.#throwOut(oldest);
    return true;
  }

  #throwOut(name: string): void {
    const guest = this.#guests.get(name);
    this.leave(name);
    guest?.socket.destroy();
  }

  #sweep(): void {
    const until = performance.now() - this.#limits.staysMsMax;
    for (const [name, { since }] of this.#guests) {
      if (since > until) return;
      this.#throwOut(name);
    }
  }
}
