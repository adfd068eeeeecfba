/** A node whose directory cannot be opened says why, in a code that tells what to do. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { type EngineCode, EngineError } from "../../native-free-engine/errors.ts";
import { checkConfig } from "../../src/runtime/config.ts";
import { openNodeEngine } from "../../src/runtime/node-store.ts";

const failing = vi.hoisted(() => ({ code: "IO" as EngineCode }));

vi.mock("../../native-free-engine/index.ts", async (original) => ({
  ...(await original<object>()),
  openEngine: () => Promise.reject(new EngineError(failing.code, "the disk said no")),
}));

test.each([
  ["LOG_FAILED", "LOG_FAILED"],
  ["DISK_FULL", "DISK_FULL"],
  ["IO", "IO"],
  ["WORKER", "IO"],
  ["CORRUPTION", "CORRUPTION"],
  ["LOCKED", "DATA_DIR_LOCKED"],
] as const)("an engine that fails to open with %s is a node's %s", async (code, told) => {
  const data = mkdtempSync(join(tmpdir(), "everwrite-node-store-"));
  failing.code = code;
  const settings = await checkConfig({ data });
  await expect(openNodeEngine(settings)).rejects.toMatchObject({ code: told });
  rmSync(data, { recursive: true });
});
