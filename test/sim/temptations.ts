/** Everything that simulated code must not do, done once: the tripwire's test steps into each. */
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";

export const wallClock = (): unknown => Date.now();
export const newDate = (): unknown => new Date();
export const stopwatch = (): unknown => performance.now();
export const chance = (): unknown => Math.random();
export const cryptoBytes = (): unknown => randomBytes(4);
export const cryptoName = (): unknown => randomUUID();
export const cryptoValues = (): unknown => crypto.getRandomValues(new Uint8Array(4));
export const timer = (): unknown => clearTimeout(setTimeout(() => {}, 0));
export const interval = (): unknown => clearInterval(setInterval(() => {}, 1_000));
export const nextTurn = (): unknown => clearImmediate(setImmediate(() => {}));
export const fileName = (): unknown => existsSync("/");
export const directory = (): unknown => readdirSync("/");
