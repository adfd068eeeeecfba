/**
 * What a node has heard of the others, and what of it it tells: all of it, while that is little. In
 * a large cluster what changed lately (another life, another epoch, a suspicion) goes first, for as
 * many rounds as it takes to reach everybody. The rest, whose beat alone has gone up, is told in
 * turn. So what gossip costs a node does not grow with the cluster.
 */
import type { NodeId } from "../ids.ts";
import type { Heartbeat } from "../message.ts";

/** Beyond the doublings that a cluster needs: chance tells some twice, and others late. */
const extraRounds = 4;

export class Heartbeats {
  /** Heartbeats of one message. */
  readonly #max: number;
  readonly #known = new Map<NodeId, Heartbeat>();
  /** Whose news go first, and for how many rounds yet; the latest last. */
  readonly #news = new Map<NodeId, number>();
  /** How many were told in turn, of the news and of the rest. */
  readonly #turns = { news: 0, rest: 0 };

  constructor(max: number) {
    this.#max = max;
  }

  of(node: NodeId): Heartbeat | undefined {
    return this.#known.get(node);
  }

  all(): Iterable<Heartbeat> {
    return this.#known.values();
  }

  /** False for what is no news. */
  learn(heartbeat: Heartbeat): boolean {
    const { node } = heartbeat;
    const known = this.#known.get(node);
    if (known !== undefined && !isNewer(heartbeat, known)) return false;
    this.#known.set(node, heartbeat);
    if (known === undefined || !saysTheSame(heartbeat, known)) {
      this.#news.delete(node);
      this.#news.set(node, Math.ceil(Math.log2(this.#known.size + 1)) + extraRounds);
    }
    return true;
  }

  /** A round is over. */
  age(): void {
    for (const [node, rounds] of this.#news) {
      if (rounds > 1) this.#news.set(node, rounds - 1);
      else this.#news.delete(node);
    }
  }

  /** What to tell a peer; `own` is left out while nothing may be said of it. */
  toTell(own: Heartbeat | undefined): readonly Heartbeat[] {
    return this.#bounded(this.#with(own), own);
  }

  /** What somebody who told this lacks. Whoever told less than could be told, told all. */
  lackedBy(theirs: readonly Heartbeat[], own: Heartbeat | undefined): readonly Heartbeat[] {
    const told = new Map(theirs.map((heartbeat) => [heartbeat.node, heartbeat]));
    const isAll = theirs.length < this.#max;
    const lacked = this.#with(own).filter((mine) => {
      const their = told.get(mine.node);
      return their === undefined ? isAll || this.#news.has(mine.node) : isNewer(mine, their);
    });
    return this.#bounded(lacked, own);
  }

  #with(own: Heartbeat | undefined): readonly Heartbeat[] {
    return own === undefined ? [...this.#known.values()] : [own, ...this.#known.values()];
  }

  #bounded(all: readonly Heartbeat[], own: Heartbeat | undefined): readonly Heartbeat[] {
    if (all.length <= this.#max) return all;
    const isNews = ({ node }: Heartbeat): boolean => node !== own?.node && this.#news.has(node);
    const first = all.filter(({ node }) => node === own?.node);
    // Some room is left to the others, however much is new.
    const newsMax = this.#max - (this.#max >> 2) - first.length;
    const news = this.#someOf("news", all.filter(isNews), newsMax);
    const rest = all.filter((heartbeat) => heartbeat.node !== own?.node && !isNews(heartbeat));
    const room = this.#max - first.length - news.length;
    return [...first, ...news, ...this.#someOf("rest", rest, room)];
  }

  /** The next in turn, after those that were told last. */
  #someOf(which: "news" | "rest", list: readonly Heartbeat[], count: number): readonly Heartbeat[] {
    if (list.length <= count) return list;
    const from = this.#turns[which] % list.length;
    this.#turns[which] += count;
    return [...list.slice(from), ...list.slice(0, from)].slice(0, count);
  }
}

/** A later start of the process outdoes any heartbeat of an earlier one. */
function isNewer(a: Heartbeat, b: Heartbeat): boolean {
  return a.started !== b.started ? a.started > b.started : a.heartbeat > b.heartbeat;
}

/** But for the beat, and for how much is left of what goes on for a while. */
function saysTheSame(a: Heartbeat, b: Heartbeat): boolean {
  return (
    a.started === b.started &&
    a.epoch === b.epoch &&
    a.hints > 0 === b.hints > 0 &&
    a.filling > 0 === b.filling > 0 &&
    a.suspects.length === b.suspects.length &&
    a.suspects.every((node, i) => node === b.suspects[i])
  );
}
