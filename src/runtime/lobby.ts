/**
 * Connections that have not been let in yet. Each may take its time, but only so many at a time and
 * for so long: the oldest of an address gives way to its newest, so that whoever opens hundreds and
 * dribbles loses those, while somebody else behind the same address is through in milliseconds. But
 * not sooner than half a second after it came: whoever comes back at once would have this node do
 * nothing but begin handshakes of TLS, so the newest is then turned away before its own.
 */

export interface LobbyLimits {
  readonly perAddressMax: number;
  readonly allMax: number;
  /** Who is here for less does not give way. */
  readonly staysMsMin: number;
  readonly staysMsMax: number;
}

export const lobbyLimits: LobbyLimits = {
  ...{ perAddressMax: 256, allMax: 2_048, staysMsMin: 500, staysMsMax: 15_000 },
};

interface Guest {
  readonly address: string;
  readonly since: number;
  readonly socket: { destroy(): unknown };
}

const sweepMs = 1_000;

export class Lobby {
  readonly #limits: LobbyLimits;
  /** By address and port, in the order in which they came. */
  readonly #guests = new Map<string, Guest>();
  readonly #ofAddress = new Map<string, Set<string>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: LobbyLimits = lobbyLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#guests.size;
  }

  /** `name` tells the connection from all others: its remote address and port. */
  enter(name: string, { address, socket }: Omit<Guest, "since">): void {
    const { perAddressMax, allMax } = this.#limits;
    let names = this.#ofAddress.get(address);
    if (names === undefined) {
      names = new Set();
      this.#ofAddress.set(address, names);
    }
    names.add(name);
    this.#guests.set(name, { address, socket, since: performance.now() });
    if (names.size > perAddressMax) this.#makeRoom(names, name);
    if (this.#guests.size > allMax) this.#makeRoom(this.#guests.keys(), name);
    this.#timer ??= setInterval(() => this.#sweep(), sweepMs).unref();
  }

  /** It was let in, or it is gone. */
  leave(name: string): void {
    const guest = this.#guests.get(name);
    if (guest === undefined) return;
    this.#guests.delete(name);
    const names = this.#ofAddress.get(guest.address);
    names?.delete(name);
    if (names?.size === 0) this.#ofAddress.delete(guest.address);
    if (this.#guests.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    for (const name of [...this.#guests.keys()]) this.#throwOut([name]);
  }

  #makeRoom(names: Iterable<string>, newest: string): void {
    const [oldest = newest] = names;
    const since = this.#guests.get(oldest)?.since ?? 0;
    const isSettled = performance.now() - since >= this.#limits.staysMsMin;
    this.#throwOut([isSettled ? oldest : newest]);
  }

  #throwOut(names: Iterable<string>): void {
    for (const oldest of names) {
      const guest = this.#guests.get(oldest);
      this.leave(oldest);
      guest?.socket.destroy();
      return;
    }
  }

  #sweep(): void {
    const until = performance.now() - this.#limits.staysMsMax;
    for (const [name, { since }] of this.#guests) {
      if (since > until) return;
      this.#throwOut([name]);
    }
  }
}
