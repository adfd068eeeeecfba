/** One page of a partition from what several replicas listed. Pure. */
import { merge } from "../clock/versions.ts";
import type { Millis } from "../ids.ts";
import type { Key } from "../key.ts";
import type { Entry } from "../message.ts";
import { compareKeys } from "./key-order.ts";
import { withoutExpired } from "./visible.ts";

export interface Listed {
  readonly entries: readonly Entry[];
  readonly isEnd: boolean;
}

export interface PageWish {
  readonly bucket: string;
  readonly prefix: Uint8Array;
  readonly limit: number;
  readonly now: Millis;
}

export interface Page {
  readonly entries: readonly Entry[];
  readonly next: Key | undefined;
}

/**
 * Merged by token up to where every list reaches: beyond its last key a list that does not end
 * there may hold older or deleted versions of what another one shows.
 */
export function pageOf(lists: readonly Listed[], wish: PageWish): Page {
  const reach = reachOf(lists);
  const all = lists.flatMap(({ entries }) => entries).sort((a, b) => compareKeys(a.key, b.key));
  const shown: Entry[] = [];
  let at = 0;
  let last: Key | undefined;
  while (at < all.length) {
    const first = all[at];
    if (first === undefined) break;
    if (reach !== undefined && compareKeys(first.key, reach) > 0) break;
    if (shown.length === wish.limit) return { entries: shown, next: last };
    let { versions } = first;
    for (at += 1; at < all.length; at++) {
      const twin = all[at];
      if (twin === undefined || compareKeys(twin.key, first.key) !== 0) break;
      versions = merge(versions, twin.versions);
    }
    last = first.key;
    const visible = withoutExpired(versions, wish.now);
    if (visible.siblings.length > 0 && isWanted(first.key, wish)) {
      shown.push({ key: first.key, versions: visible });
    }
  }
  return { entries: shown, next: reach };
}

/** The smallest last key of the lists that go on; undefined when all of them end. */
function reachOf(lists: readonly Listed[]): Key | undefined {
  let reach: Key | undefined;
  for (const { entries, isEnd } of lists) {
    const last = entries.at(-1)?.key;
    if (isEnd || last === undefined) continue;
    if (reach === undefined || compareKeys(last, reach) < 0) reach = last;
  }
  return reach;
}

function isWanted({ bucket, bytes }: Key, wish: PageWish): boolean {
  if (bucket !== wish.bucket || bytes.length < wish.prefix.length) return false;
  return wish.prefix.every((byte, at) => bytes[at] === byte);
}
