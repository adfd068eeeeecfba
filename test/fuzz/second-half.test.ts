/** Fuzz of what is read from disks, given back by clients, and given to kvctl; see trial.ts. */
import { halves } from "./decoders.ts";
import { fuzzEach } from "./half.ts";

fuzzEach(halves[1]);
