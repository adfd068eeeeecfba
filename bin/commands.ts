/**
 * The commands of kvctl as data: names, arguments, options, examples, and where the work is done.
 * Nothing is loaded until a command runs, so that help and errors come at once.
 */

import { backupCommands } from "./specs/backups.ts";
import { bucketCommands } from "./specs/buckets.ts";
import { closedCommands } from "./specs/closed.ts";
import { clusterCommands } from "./specs/cluster.ts";
import { engineCommands } from "./specs/engine.ts";
import { entryCommands } from "./specs/entries.ts";
import { membershipCommands } from "./specs/membership.ts";
import { otherCommands } from "./specs/other.ts";
import type { CommandSpec } from "./specs/spec.ts";

export const commands: readonly CommandSpec[] = [
  ...entryCommands,
  ...engineCommands,
  ...clusterCommands,
  ...membershipCommands,
  ...bucketCommands,
  ...backupCommands,
  ...closedCommands,
  ...otherCommands,
];
