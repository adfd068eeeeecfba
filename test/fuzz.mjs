/**
 * `npm run fuzz -- [--inputs N] [--seed S] [--decoder NAME] [--input I]`: mutated input for every
 * decoder; see fuzz/main.ts. It is compiled first, and so runs in plain Node.
 */
import { runCompiled } from "./support/run-compiled.mjs";

runCompiled("fuzz");
