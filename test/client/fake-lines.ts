/** Lines that a test holds in its hands, calls on them, and time that passes when it says so. */
import { vi } from "vitest";
import type { Line, Request } from "../../src/client/call.ts";
import { Calls } from "../../src/client/calls.ts";
import type { Answer, Waiter } from "../../src/client/connection.ts";
import { pickOf } from "../../src/client/routing.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Command } from "../../src/core/message.ts";
import type { ClusterError } from "../../src/errors.ts";

const key = keyOf("", new Uint8Array([1]));
export const noToken = { token: undefined };

export class FakeLine implements Line {
  latencyMs = 1;
  heardAt = 0;
  avoidUntil = 0;
  mutedAt = 0;
  readonly sent: { readonly command: Command; readonly waiter: Waiter }[] = [];
  readonly forgotten: number[] = [];
  isUsable = true;

  send(command: Command, _token: Uint8Array | undefined, waiter: Waiter): number {
    return this.sent.push({ command, waiter });
  }

  forget(request: number): void {
    this.forgotten.push(request);
  }

  took(): void {}

  /** It says something, be it of no matter. */
  speak(): void {
    this.heardAt = performance.now();
    if (this.mutedAt === 0) return;
    this.mutedAt = 0;
    this.avoidUntil = 0;
  }

  answer(result: Answer["result"], at = this.sent.length - 1): void {
    this.speak();
    this.sent[at]?.waiter.answered({ result, ...noToken });
  }

  lose(): void {
    this.isUsable = false;
    for (const { waiter } of this.sent) waiter.lost("the line was cut");
  }
}

export function world(count: number, more: { callsMax?: number; hedge?: boolean } = {}) {
  const lines = Array.from({ length: count }, () => new FakeLine());
  const calls = new Calls({
    lines: {
      choose: (_request, tried) => {
        const usable = lines.filter(({ isUsable }) => isUsable);
        return pickOf(usable, { tried, now: performance.now() });
      },
      describeFailures: () => {
        if (lines.some(({ isUsable }) => isUsable)) return undefined;
        return { code: "NO_ENDPOINT", why: "a:1 (refused), b:2 (refused)", isFinal: false };
      },
    },
    callsMax: more.callsMax ?? 100,
    hedge: more.hedge ?? true,
  });
  return { lines: lines as [FakeLine, FakeLine, FakeLine], calls };
}

export const getting = {
  kind: "get",
  key,
  r: undefined,
  strict: false,
  deadlineMs: 0,
  trace: false,
} as const;
export const putting: Command = {
  ...{ kind: "put", key, context: undefined, value: new Uint8Array(1), ttlMs: 0 },
  ...{ operation: { at: 5, nonce: 6, retried: false }, w: undefined, strict: false },
  ...{ deadlineMs: 0, trace: false },
};
export const scanning: Command = {
  ...{ kind: "scan", partition: 0, bucket: "", prefix: new Uint8Array(0), after: undefined },
  ...{ limit: 10, deadlineMs: 0 },
};
export const administering: Command = {
  kind: "admin",
  name: "repair",
  arguments: "{}",
  deadlineMs: 0,
};

export function asking(command: Command, more: Partial<Request> = {}): Request {
  return {
    ...{ command, place: key, token: undefined, preferred: 0, timeoutMs: 5000, signal: undefined },
    ...more,
  };
}

/** How a call ended, seen without waiting: undefined while it is under way. */
export function watch(promise: Promise<Answer>): {
  result?: Answer["result"];
  error?: ClusterError;
} {
  const end: { result?: Answer["result"]; error?: ClusterError } = {};
  promise.then(
    ({ result }) => {
      end.result = result;
    },
    (error: ClusterError) => {
      end.error = error;
    },
  );
  return end;
}

export const turn = (): Promise<void> => Promise.resolve();

export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}
