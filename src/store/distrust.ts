/**
 * For a directory of which some may be missing, or older than the rest: a copy from a checkpoint,
 * or what a salvage could still read. What it says of its own completeness goes, so the node fills
 * up from the others before it answers that something is not there (core/standing.ts); the others
 * tell it of the lives that it has forgotten (core/members/lives.ts); and its votes are marked as
 * forgotten (core/members/recall.ts).
 */
import type { Engine } from "../../native-free-engine/index.ts";
import { ownName } from "../core/members/lives.ts";
import { forgottenVotes, recallName } from "../core/members/recall.ts";
import { standingName } from "../core/standing.ts";
import { metaKey } from "./keyspace.ts";

export async function distrust(engine: Engine): Promise<void> {
  await engine.batch(
    [
      { type: "del", key: metaKey(standingName) },
      { type: "del", key: metaKey(ownName) },
      { type: "put", key: metaKey(recallName), value: forgottenVotes },
    ],
    { sync: true },
  );
}
