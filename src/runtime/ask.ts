/**
 * One command to one node over a connection of its own: how a node asks that is no member yet. It
 * proves that it may be one, as members do, since the answer to `join` holds secrets.
 */
import { failed } from "../core/failure.ts";
import type { Failed } from "../core/message.ts";
import { decodeFrame, FrameWriter } from "../core/wire/codec.ts";
import { type Dialler, openDialler } from "./gate.ts";
import { encodeHello, newcomersHello } from "./handshake.ts";
import { dial } from "./sockets.ts";

export type AnswerToAsk = { readonly kind: "answer"; readonly json: unknown } | Failed;

interface AskedCommand {
  readonly name: string;
  readonly arguments: object;
  readonly timeoutMs: number;
}

/** Never rejects. A node that cannot be reached is CONNECTION_LOST with the reason. */
export async function ask(
  address: string,
  command: AskedCommand,
  dialler: Dialler = openDialler,
): Promise<AnswerToAsk> {
  const first = await attempt(address, { command, dialler, ahead: 0 });
  if (first.clock === undefined) return first.answer;
  // The proof bore this node's time, which the other's clock does not agree with.
  const ahead = first.clock - Date.now();
  return (await attempt(address, { command, dialler, ahead })).answer;
}

interface Attempt {
  readonly command: AskedCommand;
  readonly dialler: Dialler;
  readonly ahead: number;
}

interface Attempted {
  readonly answer: AnswerToAsk;
  /** Of a node that refused. */
  readonly clock: number | undefined;
}

function attempt(address: string, { command, dialler, ahead }: Attempt): Promise<Attempted> {
  return new Promise((resolve) => {
    const settle = (answer: AnswerToAsk, clock?: number): void => {
      clearTimeout(timer);
      resolve({ answer, clock });
      socket.close(1000, "done");
    };
    const { timeoutMs } = command;
    const timer = setTimeout(() => {
      settle(failed("READ_TIMEOUT", `${address}: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const hello = encodeHello(newcomersHello(Date.now()));
    const proof = dialler.prove(hello, ahead);
    const socket = dial({
      address,
      protocol: "peer",
      tls: dialler.tls(),
      headers: { ...hello, ...proof.headers },
      onOpen: (headers) => {
        if (proof.isAnswered(headers)) for (const bytes of frameOf(command)) socket.send(bytes);
        else settle(failed("PEER_AUTH_FAILED", `${address} did not prove to be a node of ours`));
      },
      onMessage: (bytes) => settle(answerIn(bytes) ?? failed("FRAME_INVALID", "no answer at all")),
      onClose: (why, code, clock) => settle(failed(code ?? "CONNECTION_LOST", why), clock),
    });
  });
}

function frameOf({ name, timeoutMs, arguments: given }: AskedCommand): readonly Uint8Array[] {
  const frame = new FrameWriter();
  // The node gives up a little earlier, so that its reason arrives in time.
  const deadlineMs = Math.ceil(0.9 * timeoutMs);
  frame.add({
    kind: "request",
    request: 1,
    token: undefined,
    command: { kind: "admin", name, arguments: JSON.stringify(given), deadlineMs },
  });
  return frame.take();
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
