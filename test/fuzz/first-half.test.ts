/** Fuzz of what comes over the wire and from outside; see trial.ts. */
import { halves } from "./decoders.ts";
import { fuzzEach } from "./half.ts";

fuzzEach(halves[0]);
