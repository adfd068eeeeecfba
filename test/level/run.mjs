/**
 * The conformance suite of abstract-level on the built package, run as its users would load it:
 * `node --no-addons test/level/run.mjs`. Prints each failed assertion and, last, one line that a
 * program can read. The suite leaves hundreds of databases open, which the process must survive.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import suite from "abstract-level/test/index.js";
import tape from "tape";
import { EverwriteLevel } from "../../dist/native-free-engine/level.js";

/** What the suite has with every feature switched on: fewer would mean that some were skipped. */
const testsMin = 1464;
const assertionsMin = 5120;
const timeoutMs = 180_000;

const totals = { tests: 0, assertions: 0, failed: 0 };
const scratch = mkdtempSync(join(tmpdir(), "everwrite-level-suite-"));
const started = Date.now();
let databases = 0;
let current = "";
let finished = false;

// A suite that dies or hangs has failed, whatever it counted before.
process.on("exit", () => {
  if (!finished) fail(`the suite stopped in "${current}"`);
  rmSync(scratch, { recursive: true, force: true });
  const { tests, assertions, failed } = totals;
  console.log(`level-suite: tests ${tests} assertions ${assertions} failed ${failed}`);
  process.exitCode = failed > 0 ? 1 : 0;
});
setTimeout(() => process.exit(1), timeoutMs).unref();

// A harness of its own: tape's usual one exits the process with a code of its choice.
const test = tape.createHarness();
test.createStream({ objectMode: true }).on("data", count).on("end", finish);

suite({
  test,
  factory(options) {
    databases += 1;
    return new EverwriteLevel(join(scratch, String(databases)), options);
  },
});

function count(row) {
  if (row.type === "test") {
    totals.tests += 1;
    current = row.name;
  }
  if (row.type !== "assert") return;
  totals.assertions += 1;
  if (row.ok || row.todo || row.skip) return;
  fail(`${current}: ${row.name}`);
  console.log(row.error?.stack ?? { expected: row.expected, actual: row.actual });
}

function finish() {
  finished = true;
  const { tests, assertions } = totals;
  if (tests < testsMin) fail(`only ${tests} tests ran, ${testsMin} were expected`);
  if (assertions < assertionsMin) {
    fail(`only ${assertions} assertions ran, ${assertionsMin} were expected`);
  }
  const addons = process.report.getReport().sharedObjects.filter((path) => path.endsWith(".node"));
  if (addons.length > 0) fail(`native add-ons were loaded: ${addons.join(", ")}`);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const megabytes = Math.round(process.memoryUsage.rss() / 2 ** 20);
  console.log(`${databases} databases in ${seconds} s, ${megabytes} MiB, node ${process.version}`);
  // Most databases are still open.
  process.exit();
}

function fail(what) {
  totals.failed += 1;
  console.log(`not ok: ${what}`);
}
