/**
 * What happens on the way from one place to another. A link is directed: what is cut one way may
 * still pass the other. Places are numbers: 0 stands for the clients, others for nodes. Bytes on a
 * link that is cut wait, as they do in TCP; they are never lost from the middle of a stream.
 */

export type Place = number;
export const clients: Place = 0;

export interface Weather {
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly bytesPerSecond: number;
  /** One piece in so many has a bit flipped; 0: none. */
  readonly corruptOneIn: number;
}

export const calm: Weather = {
  delayMs: 0,
  jitterMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  corruptOneIn: 0,
};

export interface Link {
  readonly from: Place;
  readonly to: Place;
}

/** A connection as links see it. */
export interface Passing {
  /** From the one who dialled to the other. */
  readonly link: Link;
  /** The rules have changed. */
  look(): void;
  /** Both sides see it break. */
  reset(): void;
  /** Neither side sees anything ever again. */
  mute(): void;
}

export class Links {
  readonly #cuts = new Set<string>();
  readonly #weather = new Map<string, Weather>();
  readonly #passing = new Set<Passing>();

  add(passing: Passing): void {
    this.#passing.add(passing);
  }

  delete(passing: Passing): void {
    this.#passing.delete(passing);
  }

  isCut(link: Link): boolean {
    return this.#cuts.has(nameOf(link));
  }

  weatherOf(link: Link): Weather {
    return this.#weather.get(nameOf(link)) ?? calm;
  }

  cut(links: readonly Link[]): void {
    for (const link of links) this.#cuts.add(nameOf(link));
  }

  /** With `reset`, connections that were cut break, as behind a router that forgot them. */
  mend(links: readonly Link[], { reset }: { readonly reset: boolean }): void {
    for (const link of links) {
      this.#cuts.delete(nameOf(link));
      if (reset) for (const passing of this.#on(link)) passing.reset();
    }
    this.#look();
  }

  setWeather(links: readonly Link[], weather: Weather): void {
    for (const link of links) this.#weather.set(nameOf(link), weather);
  }

  clear(links: readonly Link[]): void {
    for (const link of links) this.#weather.delete(nameOf(link));
    this.#look();
  }

  /** Gives how many connections there were. */
  mute(link: Link): number {
    const on = this.#on(link);
    for (const passing of on) passing.mute();
    return on.length;
  }

  calmAll(): void {
    this.#cuts.clear();
    this.#weather.clear();
    this.#look();
  }

  #look(): void {
    for (const passing of [...this.#passing]) passing.look();
  }

  #on({ from, to }: Link): readonly Passing[] {
    return [...this.#passing].filter(({ link }) => link.from === from && link.to === to);
  }
}

/** Each from one side to the other. */
export function linksBetween(left: readonly Place[], right: readonly Place[]): Link[] {
  return left.flatMap((from) => right.map((to) => ({ from, to })));
}

function nameOf({ from, to }: Link): string {
  return `${from}>${to}`;
}
