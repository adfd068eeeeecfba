/**
 * The process that the demo kills: it stores numbered records with sync puts, many at a time, and
 * says each number on its output once the put is acknowledged. It never stops by itself. The
 * memtable is small, so that a kill also meets flushes and compactions.
 */
import { openEngine } from "../../native-free-engine/index.ts";
import { createOutput } from "../output.ts";
import { recordKey, recordValue } from "./records.ts";

const putsInFlight = 64;
const memtableBytes = 128 << 10;

async function main([directory = "", first = "0"]: readonly string[]): Promise<void> {
  const engine = await openEngine(directory, { durability: "sync", memtableBytes });
  const output = createOutput({ json: false, streams: process });
  let next = Number(first);
  const lane = async (): Promise<void> => {
    while (!output.isClosed) {
      const n = next;
      next += 1;
      await engine.put(recordKey(n), recordValue(n));
      await output.write(`${n}\n`);
    }
  };
  await Promise.all(Array.from({ length: putsInFlight }, lane));
  await engine.close();
}

void main(process.argv.slice(2));
