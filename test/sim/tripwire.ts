/**
 * While a run is on, nothing that is simulated may see real time, chance, timers or files: a trap
 * stands at each of them, and throws when our own code is what stepped into it. Whoever runs the
 * simulator (the test runner, Node itself) passes. Nothing of ours is exempt: the end of a turn of
 * the real loop, which the timeline waits for, was taken from Node before any trap was set.
 */
import crypto from "node:crypto";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers";

export class TripwireError extends Error {
  override readonly name = "TripwireError";
}

type Holder = Record<string, unknown>;

const chance = ["randomBytes", "randomInt", "randomUUID", "randomFillSync", "randomFill"];
const timerNames = ["setTimeout", "setInterval", "setImmediate"];
/** A call of ours in a stack. Tests themselves may look at the clock. */
const ourFrame = /[/\\](?:src|native-free-engine|test[/\\]sim)[/\\][\w./\\-]+\.[jt]s:/;
const frameMax = 24;
const ours = /everwrite-programs/;

/** Runs it with all traps set. One run at a time has them; they end with it. */
export async function guarded<T>(run: () => Promise<T>): Promise<T> {
  const restore: (() => void)[] = [];
  const trap = (holder: object, name: string): void => {
    const original = (holder as Holder)[name];
    if (typeof original !== "function") return;
    (holder as Holder)[name] = trapFor(name, original as () => unknown);
    restore.push(() => {
      (holder as Holder)[name] = original;
    });
  };
  trap(Date, "now");
  trap(performance, "now");
  trap(Math, "random");
  for (const name of timerNames) {
    trap(globalThis, name);
    trap(timers, name);
  }
  for (const name of chance) trap(crypto, name);
  trap(crypto.webcrypto, "getRandomValues");
  for (const name of Object.keys(fs)) if (/^[a-z]/.test(name)) trap(fs, name);
  for (const name of Object.keys(fs.promises)) trap(fs.promises, name);
  restore.push(trapDate());
  syncBuiltinESMExports();
  try {
    return await run();
  } finally {
    for (const undo of restore.reverse()) undo();
    syncBuiltinESMExports();
  }
}

function trapFor(name: string, original: (...given: never[]) => unknown): unknown {
  function trapped(this: unknown, ...given: never[]): unknown {
    check(name);
    return new.target === undefined
      ? original.apply(this, given)
      : Reflect.construct(original, given);
  }
  // Some carry others with them, such as setTimeout its promises.
  return Object.defineProperties(trapped, Object.getOwnPropertyDescriptors(original));
}

/** `new Date()` looks at the clock, `new Date(0)` does not. */
function trapDate(): () => void {
  const original = Date;
  globalThis.Date = new Proxy(original, {
    construct(target, given, newTarget) {
      if (given.length === 0) check("new Date()");
      return Reflect.construct(target, given, newTarget) as object;
    },
    apply() {
      check("Date()");
      return original();
    },
  });
  return () => {
    globalThis.Date = original;
  };
}

function check(name: string): void {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = frameMax;
  const { stack = "" } = new Error("trap");
  Error.stackTraceLimit = before;
  const guilty = stack.split("\n").find(isOurs);
  if (guilty !== undefined) throw new TripwireError(`${name} is called ${guilty.trim()}`);
}

function isOurs(frame: string): boolean {
  if (/^\s*at async /.test(frame) || /tripwire\.[jt]s|\.test\.ts/.test(frame)) return false;
  return ourFrame.test(frame) && (!frame.includes("node_modules") || ours.test(frame));
}
