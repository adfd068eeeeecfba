/** Every kind of fault that a run knows. */
import { fullDisk, fullRack, powerCut, slowDisk } from "./faults-of-disks.ts";
import { join, leave, wipe } from "./faults-of-members.ts";
import { corruption, cut, halfOpen, vanish, weather } from "./faults-of-network.ts";
import { blackout, descriptors, kill, pause, stop } from "./faults-of-processes.ts";
import type { Kind } from "./kind.ts";

export const kinds: readonly Kind[] = [
  ...[kill, blackout, stop, pause, descriptors],
  ...[cut, weather, halfOpen, corruption, vanish],
  ...[fullDisk, fullRack, powerCut, slowDisk],
  ...[join, leave, wipe],
];
