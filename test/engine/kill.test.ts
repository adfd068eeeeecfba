/**
 * Real kill -9: a process that writes while it flushes and compacts is killed at random moments.
 * Whatever it had acknowledged is there when the next one opens the database, byte for byte, and
 * the rest is a prefix of what it had asked for. KILLS scales it.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { pick, randomFrom, seed } from "../support/random.ts";

const kills = Number(process.env["KILLS"] ?? 50);
/** The longest that a process may write. */
const lifeMsMax = 250;
const child = fileURLToPath(new URL("../support/kill-child.mjs", import.meta.url));

test(
  `nothing acknowledged is lost in ${kills} kills`,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "everwrite-kill-"));
    const random = randomFrom(seed);
    try {
      let acknowledged = 0;
      let recovered = 0;
      let whileOpening = 0;
      for (let i = 0; i < kills; i++) {
        const workers = pick(random, 2) === 0 ? "on" : "off";
        // Some die while they recover, at a moment that only the machine knows.
        const isEarly = pick(random, 6) === 0;
        const lifeMs = pick(random, lifeMsMax);
        const life = await runAndKill([directory, String(acknowledged), "1e9", workers], {
          isEarly,
          lifeMs,
        });
        expect(life.complaint, `kill ${i}, SEED=${seed}`).toBe("");
        if (life.found === undefined) {
          whileOpening += 1;
          continue;
        }
        recovered = life.found;
        acknowledged = Math.max(recovered, life.newest + 1);
      }
      const last = await runAndKill([directory, String(acknowledged), "1e9", "check"], {});
      expect(last.complaint).toBe("");
      expect(last.found).toBeGreaterThanOrEqual(acknowledged);
      const { levels, report } = JSON.parse(last.rest) as {
        levels: { level: number; tables: number }[];
        report: { ok: boolean };
      };
      expect(report.ok).toBe(true);
      expect(whileOpening).toBeLessThan(kills / 2);
      expect(acknowledged).toBeGreaterThan(10 * kills);
      const deep = levels.filter(({ level }) => level > 0);
      expect(deep.reduce((sum, { tables }) => sum + tables, 0)).toBeGreaterThan(0);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
  60_000 + kills * 2000,
);

interface Life {
  /** How many operations it found when it opened the database. */
  found: number | undefined;
  /** The last operation it acknowledged. */
  newest: number;
  /** What it said besides. */
  rest: string;
  complaint: string;
}

function runAndKill(
  args: readonly string[],
  fate: { readonly isEarly?: boolean; readonly lifeMs?: number },
): Promise<Life> {
  return new Promise((resolve, reject) => {
    const life: Life = { found: undefined, newest: -1, rest: "", complaint: "" };
    const running = spawn(process.execPath, [child, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kill = (): void => {
      running.kill("SIGKILL");
    };
    if (fate.isEarly === true) setTimeout(kill, 30 + (fate.lifeMs ?? 0));
    let line = "";
    running.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (line + chunk).split("\n");
      line = lines.pop() ?? "";
      for (const said of lines) {
        if (said.startsWith("found ")) {
          life.found = Number(said.slice(6));
          if (fate.lifeMs !== undefined) setTimeout(kill, fate.lifeMs);
        } else if (/^\d+$/.test(said)) {
          life.newest = Number(said);
        } else {
          life.rest += said;
        }
      }
    });
    running.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      life.complaint += chunk;
    });
    running.on("error", reject);
    running.on("close", () => resolve(life));
  });
}
