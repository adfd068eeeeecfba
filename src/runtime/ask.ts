/** One command to one node over a connection of its own: how a node that is no member yet asks. */
import { failed } from "../core/failure.ts";
import type { Failed } from "../core/message.ts";
import { decodeFrame, FrameWriter } from "../core/wire/codec.ts";
import { dial } from "./sockets.ts";

export type AnswerToAsk = { readonly kind: "answer"; readonly json: unknown } | Failed;

/** Never rejects. A node that cannot be reached is CONNECTION_LOST with the reason. */
export function ask(
  address: string,
  command: { readonly name: string; readonly arguments: object; readonly timeoutMs: number },
): Promise<AnswerToAsk> {
  return new Promise((resolve) => {
    const settle = (answer: AnswerToAsk): void => {
      clearTimeout(timer);
      resolve(answer);
      socket.close(1000, "done");
    };
    const { name, timeoutMs } = command;
    const timer = setTimeout(() => {
      settle(failed("READ_TIMEOUT", `${address}: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const socket = dial({
      address,
      protocol: "client",
      headers: {},
      onOpen: () => {
        const frame = new FrameWriter();
        frame.add({
          kind: "request",
          request: 1,
          token: undefined,
          command: {
            kind: "admin",
            name,
            arguments: JSON.stringify(command.arguments),
            // The node gives up a little earlier, so that its reason arrives in time.
            deadlineMs: Math.ceil(0.9 * timeoutMs),
          },
        });
        for (const bytes of frame.take()) socket.send(bytes);
      },
      onMessage: (bytes) => settle(answerIn(bytes) ?? failed("FRAME_INVALID", "no answer at all")),
      onClose: (why, code) => settle(failed(code ?? "CONNECTION_LOST", why)),
    });
  });
}

function answerIn(bytes: Uint8Array): AnswerToAsk | undefined {
  const frame = decodeFrame(bytes);
  if (frame.kind === "invalid") return failed("FRAME_INVALID", frame.why);
  for (const message of frame.messages) {
    if (message.kind !== "result") continue;
    const { result } = message;
    if (result.kind === "failed") return result;
    if (result.kind === "answer") return parsed(result.json);
  }
  return undefined;
}

function parsed(json: string): AnswerToAsk {
  try {
    return { kind: "answer", json: JSON.parse(json) };
  } catch {
    return failed("FRAME_INVALID", "the answer is not JSON");
  }
}
