/**
 * Contexts as clients hold them: sealed with the cluster's keys, bound to one key of the database.
 * The keys are minted at founding and handed to whoever joins; the last two are accepted.
 */
import {
  type MacKey,
  type Opened,
  openContext,
  type Seen,
  sealContext,
} from "../core/context-token.ts";
import type { Key } from "../core/key.ts";

/** The newest first. */
export type MacKeys = readonly [MacKey, ...MacKey[]];

export interface Contexts {
  seal(seen: Seen, key: Key): Uint8Array;
  open(token: Uint8Array, key: Key): Opened;
}

export function contextsOf(clusterId: string, keys: MacKeys): Contexts {
  return {
    seal: (seen, key) => sealContext(seen, { clusterId, key }, keys),
    open: (token, key) => openContext(token, { clusterId, key }, keys),
  };
}
