/**
 * `npm run scale -- [--nodes 10,50,100,500] [--json] [--svg FILE]`: what clusters of several sizes
 * cost and how fast they agree, counted in virtual time.
 */
import { join } from "node:path";
import { runCompiled } from "./support/run-compiled.mjs";

runCompiled(join("sim", "scale"));
