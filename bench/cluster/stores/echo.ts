/**
 * No store: a process that sends back what it gets, through the same WebSocket package and a single
 * hop. What it reaches is the most that any client of one process could see: once with a frame a
 * message, once with all messages of a turn of the event loop in one frame.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { startServer } from "../servers.ts";
import type { StoreClient, StoreInfo } from "../store.ts";

/** As far as it is used here. */
interface Socket {
  binaryType: string;
  on(event: string, listener: (...args: never[]) => void): void;
  send(bytes: Uint8Array): void;
  terminate(): void;
}

interface Library {
  readonly WebSocket: new (url: string, options: object) => Socket;
}

/** Whole messages of one length each, so that a frame needs no lengths of its own. */
const messageBytes = 100;

export const echoStores: readonly StoreInfo[] = [
  echo("(ws)", { isBatched: false }),
  echo("(ws-batched)", { isBatched: true }),
];

function echo(name: string, { isBatched }: { isBatched: boolean }): StoreInfo {
  const frames = isBatched ? "all messages of a turn in one frame" : "one frame a message";
  return {
    name,
    notes: [`no store: one process sends back 100 bytes, ${frames}: the ceiling of one hop`],
    start: async (directory) => {
      const script = fileURLToPath(new URL("../echo-server.js", import.meta.url));
      const server = startServer({ command: process.execPath, args: [script], directory });
      const endpoint = await server.firstLine;
      return { endpoints: [endpoint], pids: [server.pid], stop: () => server.stop() };
    },
    connect: ({ endpoints: [endpoint = ""] }) => connect(endpoint, { isBatched }),
  };
}

/** More than there are callers; answers come in the order of the questions. */
const waitingMax = 1 << 14;

async function connect(
  endpoint: string,
  { isBatched }: { isBatched: boolean },
): Promise<StoreClient> {
  const { WebSocket } = createRequire(import.meta.url)("ws") as Library;
  const socket = new WebSocket(`ws://${endpoint}`, {
    perMessageDeflate: false,
    generateMask: (mask: Buffer) => void mask.fill(0),
  });
  await new Promise<void>((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
  });
  const waiting: ((bytes: number) => void)[] = [];
  let answered = 0;
  socket.on("message", (frame: Buffer) => {
    for (let at = 0; at < frame.length; at += messageBytes) {
      waiting[answered % waitingMax]?.(messageBytes);
      answered += 1;
    }
  });
  let asked = 0;
  let turn: Buffer[] = [];
  const flush = (): void => {
    const frame = turn.length === 1 ? turn[0] : Buffer.concat(turn);
    turn = [];
    if (frame !== undefined) socket.send(frame);
  };
  const send = (message: Buffer): void => {
    if (!isBatched) socket.send(message);
    else if (turn.push(message) === 1) setImmediate(flush);
  };
  const message = Buffer.alloc(messageBytes, "x");
  const ask = (): Promise<number> =>
    new Promise((resolve) => {
      waiting[asked % waitingMax] = resolve;
      asked += 1;
      send(message);
    });
  return {
    write: ask,
    read: ask,
    bytesIn: (answer) => answer as number,
    close: async () => socket.terminate(),
  };
}
