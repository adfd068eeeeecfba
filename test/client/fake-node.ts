/** A node that says what a test wants it to say, on a real socket. */
import { keyOf } from "../../src/core/key.ts";
import type { ClientMessage, Command, Message, Result } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { decodeFrame, FrameWriter } from "../../src/core/wire/codec.ts";
import type { Refusal } from "../../src/runtime/refusal.ts";
import type { Socket } from "../../src/runtime/sockets.ts";
import { openPort, ringOf } from "../runtime/wires.ts";

type Asked = Message & { readonly kind: "request" };
type Answering = Result | "silence" | "cut";

const none = { vector: [], dots: [], operations: [] };

export const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString();

export function found(...values: readonly string[]): Result {
  return {
    kind: "found",
    values: values.map((value) => new Uint8Array(Buffer.from(value))),
    context: none,
    fastest: 1,
    degraded: false,
    written: values.map((_, i) => ({ time: i, actor: "0123456789abcdef" })),
    trace: undefined,
  };
}

export const stored: Result = {
  kind: "stored",
  context: none,
  fastest: 1,
  acks: 2,
  trace: undefined,
};

export function refusal(code: string, more: object = {}): Result & { readonly kind: "failed" } {
  return {
    kind: "failed",
    code,
    message: `it is ${code}`,
    applied: "no",
    retryAfterMs: 0,
    ...more,
  };
}

export function page(bucket: string, keys: readonly string[], next?: string): Result {
  const keyFor = (name: string) => keyOf(bucket, new Uint8Array(Buffer.from(name)));
  const sibling = (name: string) => ({
    dot: { actor: "0123456789abcdef", counter: 1 },
    operation: undefined,
    time: 1,
    expiresAt: 0,
    value: new Uint8Array(Buffer.from(`value of ${name}`)),
  });
  return {
    kind: "page",
    entries: keys.map((name) => ({
      key: keyFor(name),
      versions: { ...none, siblings: [sibling(name)] },
    })),
    next: next === undefined ? undefined : keyFor(next),
  };
}

export class FakeNode {
  readonly address: string;
  /** Everything it was asked, in order. */
  readonly asked: Asked[] = [];
  /** Connections that it ever let in. */
  admitted = 0;
  readonly #port: Awaited<ReturnType<typeof openPort>>;
  readonly #sockets = new Set<Socket>();
  ring: RingState;
  down: readonly number[] = [];
  tellsRing = true;
  /** Lets nobody in, for this reason. */
  refusal: Refusal | undefined;
  answer: (command: Command) => Answering;

  static async open(answer: (command: Command) => Answering = usual): Promise<FakeNode> {
    return new FakeNode(await openPort(), answer);
  }

  private constructor(
    port: Awaited<ReturnType<typeof openPort>>,
    answer: (command: Command) => Answering,
  ) {
    this.#port = port;
    this.address = port.address;
    this.answer = answer;
    this.ring = ringOf([port.address]);
    port.admit = () => {
      if (this.refusal !== undefined) return { kind: "refused", ...this.refusal };
      return {
        kind: "admitted",
        headers: {},
        attach: (socket) => {
          this.#sockets.add(socket);
          this.admitted += 1;
          return {
            onMessage: (bytes) => this.#receive(socket, bytes),
            onClose: () => void this.#sockets.delete(socket),
          };
        },
      };
    };
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get commands(): readonly Command[] {
    return this.asked.map(({ command }) => command);
  }

  tell(message: ClientMessage): void {
    for (const socket of this.#sockets) send(socket, message);
  }

  tellRing(ring: Partial<RingState>, down: readonly number[] = this.down): void {
    this.ring = { ...this.ring, ...ring };
    this.down = down;
    this.tell({ kind: "ring-news", state: this.ring, down });
  }

  cut(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  sendRaw(bytes: Uint8Array): void {
    for (const socket of this.#sockets) socket.send(bytes);
  }

  close(): Promise<void> {
    return this.#port.listener.close();
  }

  #receive(socket: Socket, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame.kind === "invalid") throw new Error(frame.why);
    for (const message of frame.messages) {
      if (message.kind === "watch-ring" && this.tellsRing) {
        send(socket, { kind: "ring-news", state: this.ring, down: this.down });
      }
      if (message.kind !== "request") continue;
      this.asked.push(message);
      const result = this.answer(message.command);
      if (result === "cut") socket.terminate();
      else if (result !== "silence") {
        const token = new Uint8Array(0);
        send(socket, { kind: "result", request: message.request, result, token });
      }
    }
  }
}

function usual(command: Command): Result {
  if (command.kind === "get") return found("value");
  if (command.kind === "put") return stored;
  return command.kind === "scan" ? page(command.bucket, []) : { kind: "answer", json: "{}" };
}

function send(socket: Socket, message: ClientMessage): void {
  const frame = new FrameWriter();
  frame.add(message);
  for (const bytes of frame.take()) socket.send(bytes);
}
