/**
 * Another program's way to a node's port: bytes of its own making, over TCP or TLS, that need not
 * keep any rule. It tells what comes back until the node ends the connection.
 */
import { randomBytes } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { DialTls } from "../../src/runtime/sockets.ts";

export interface KnockOptions {
  readonly protocol?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: DialTls | undefined;
  /** As another machine would, where the system lets a test choose an address of its own. */
  readonly from?: string | undefined;
  /** Does not answer the node's goodbye. */
  readonly isRude?: boolean;
  /** Sent right behind the headers, before any answer. */
  readonly behind?: Uint8Array;
}

export interface Answered {
  /** 101 when it was let in. */
  readonly status: number;
  /** Of a refusal. */
  readonly code: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: Socket;
  /** Resolves once the node has ended the connection, with the close code if it gave one. */
  readonly closed: Promise<number | undefined>;
}

/** Frames of the WebSocket protocol, right or wrong. */
export function frameOf(
  payload: Uint8Array,
  more: {
    readonly first?: number;
    readonly isMasked?: boolean;
    /** What the header claims, where it lies. */
    readonly length?: bigint;
  } = {},
): Uint8Array {
  const { first = 0x82, isMasked = true, length = BigInt(payload.length) } = more;
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 127 | (isMasked ? 0x80 : 0);
  head.writeBigUInt64BE(length, 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ (mask[i & 3] ?? 0))]);
}

let strangers = 0;

/** Another address each time, so that failures of one are not counted for the next. */
export function newAddress(): string | undefined {
  strangers = (strangers + 1) % 60_000;
  return process.platform === "linux"
    ? `127.1.${1 + Math.floor(strangers / 250)}.${1 + (strangers % 250)}`
    : undefined;
}

export function openSocket(
  address: string,
  { tls, from }: Pick<KnockOptions, "tls" | "from"> = {},
): Promise<Socket> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const raw = connectTcp({ host, port: Number(port), localAddress: from });
    raw.on("error", reject);
    const socket: Socket =
      tls === undefined ? raw : connectTls({ ...tls, host, servername: "", socket: raw });
    socket.once(tls === undefined ? "connect" : "secureConnect", () => resolve(socket));
    socket.on("error", reject);
  });
}

export async function knock(address: string, options: KnockOptions = {}): Promise<Answered> {
  const { protocol = "everwrite.client.1", headers = {}, behind, isRude = false } = options;
  const socket = await openSocket(address, options);
  const lines = [
    "GET / HTTP/1.1",
    `Host: ${address}`,
    ...["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    `Sec-WebSocket-Protocol: ${protocol}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(
    Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), behind ?? new Uint8Array(0)]),
  );
  let bytes: Buffer = Buffer.alloc(0);
  const ended = new Promise<void>((resolve) => {
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
  });
  const answered = new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const headEnd = bytes.indexOf("\r\n\r\n");
      if (headEnd >= 0) resolve();
      const isOver = headEnd >= 0 && closeCodeIn(bytes.subarray(headEnd + 4)) !== undefined;
      if (isOver && !isRude) socket.end();
    });
    void ended.then(resolve);
  });
  await answered;
  const headEnd = bytes.indexOf("\r\n\r\n");
  const [statusLine = "", ...fields] = bytes
    .subarray(0, Math.max(0, headEnd))
    .toString()
    .split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0);
  if (status !== 101) await ended;
  return {
    status,
    code: status === 101 ? undefined : codeIn(bytes.subarray(headEnd + 4)),
    headers: Object.fromEntries(
      fields.map((line) => {
        const at = line.indexOf(":");
        return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
      }),
    ),
    socket,
    closed: ended.then(() => closeCodeIn(bytes.subarray(headEnd + 4))),
  };
}

function codeIn(body: Buffer): string | undefined {
  try {
    return String((JSON.parse(body.toString()) as { code: unknown }).code);
  } catch {
    return undefined;
  }
}

/** Of the last close frame among the node's frames, which it never masks. */
function closeCodeIn(bytes: Buffer): number | undefined {
  let code: number | undefined;
  for (let at = 0; at + 2 <= bytes.length; ) {
    const first = bytes[at] ?? 0;
    let length = (bytes[at + 1] ?? 0) & 0x7f;
    let from = at + 2;
    if (length === 126) {
      length = bytes.readUInt16BE(from);
      from += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(from));
      from += 8;
    }
    if ((first & 0x0f) === 8 && length >= 2 && from + 2 <= bytes.length) {
      code = bytes.readUInt16BE(from);
    }
    at = from + length;
  }
  return code;
}
