#!/usr/bin/env node
/** kvctl, the command line, as a process of its own: what it does is in program.ts. */
import { runProgram } from "./program.ts";

void runProgram(process.argv.slice(2), process).then((code) => {
  // Not process.exit, which could cut short what is still on its way into a pipe.
  process.exitCode = code;
});
