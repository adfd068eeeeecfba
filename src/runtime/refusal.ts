/**
 * A refused upgrade: an HTTP answer whose body is JSON, {code, message}, so that the other side can
 * tell its people why in our words.
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { ClusterCode } from "../errors.ts";

export interface Refusal {
  readonly status: number;
  readonly code: ClusterCode;
  readonly message: string;
  /** The answer waits for so long. */
  readonly delayMs?: number | undefined;
  /** The node's clock, for a dialler whose proof may have been made with another. */
  readonly clock?: number | undefined;
}

const refusalBytesMax = 4096;

export function refuse(socket: Duplex, { status, code, message, clock }: Refusal): void {
  const body = JSON.stringify({ code, message, clock });
  socket.once("finish", () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}`,
      "Connection: close",
      "Content-Type: application/json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      "",
      body,
    ].join("\r\n"),
  );
}

export interface ReadRefusal {
  readonly message: string;
  readonly code: string | undefined;
  readonly clock?: number | undefined;
}

/** The other side may be anything that answers HTTP. */
export async function readRefusal(response: IncomingMessage): Promise<ReadRefusal> {
  const otherwise = `answered with HTTP status ${response.statusCode}, so it is no node of ours`;
  try {
    let text = "";
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > refusalBytesMax) break;
    }
    const { code, message, clock } = JSON.parse(text) as Record<string, unknown>;
    if (typeof code === "string" && typeof message === "string") {
      return { code, message, clock: Number.isSafeInteger(clock) ? Number(clock) : undefined };
    }
  } catch {
    // It is not one of our refusals: the status says all there is to say.
  }
  return { message: otherwise, code: undefined };
}
