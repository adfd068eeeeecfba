/** A hundred power cuts for real, where the machine allows it; see test/power-cut.mjs. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../power-cut.mjs", import.meta.url));
const seconds = 35;

test("no synced write is lost when the power is cut", { timeout: 120_000 }, async (context) => {
  const { code, output } = await run([script, "--cycles", "100", "--seconds", String(seconds)]);
  const skipped = /^power-cut: skipped: (.*)$/m.exec(output);
  if (skipped !== null) context.skip(`no power cut for real: ${skipped[1]}`);
  expect(output).toMatch(/^power-cut: [1-9]\d* cycles/m);
  expect(code, output).toBe(0);
});

function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const add = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}
