/**
 * The process that is killed: `node kill-child.mjs DIRECTORY ACKNOWLEDGED ISSUED WORKERS`. Opens
 * the database, checks that nothing acknowledged before is lost, says how much it found, and goes
 * on with the script until the end, which comes without a warning. With "check" for WORKERS it
 * ends after checking.
 *
 *   found 1234        opened, and checked byte for byte
 *   1240              everything up to operation 1240 was acknowledged
 */
import { writeSync } from "node:fs";
import { openEngine, verifyEngine } from "../../dist/native-free-engine/index.js";
import { recoveredCount, runScript } from "./durable-script.mjs";

const [directory, acknowledged, issued, workers] = process.argv.slice(2);

const engine = await openEngine(directory, { memtableBytes: 32 << 10, workers: workers === "on" });
const count = await recoveredCount(engine, {
  acknowledged: Number(acknowledged),
  issued: Number(issued),
});
writeSync(1, `found ${count}\n`);
if (workers === "check") {
  const { levels } = engine.stats();
  await engine.close();
  const report = await verifyEngine(directory);
  writeSync(1, `${JSON.stringify({ levels, report })}\n`);
} else {
  let newest = -1;
  await runScript(engine, count, {
    isOver: () => false,
    onAcknowledged: (i) => {
      if (i <= newest) return;
      newest = i;
      writeSync(1, `${i}\n`);
    },
  });
  throw new Error("a write was refused");
}
