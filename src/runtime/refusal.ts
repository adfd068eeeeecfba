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
}

const refusalBytesMax = 4096;

export function refuse(socket: Duplex, { status, code, message }: Refusal): void {
  const body = JSON.stringify({ code, message });
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

/** The other side may be anything that answers HTTP. */
export async function readRefusal(
  response: IncomingMessage,
): Promise<{ readonly message: string; readonly code: string | undefined }> {
  const otherwise = `answered with HTTP status ${response.statusCode}, so it is no node of ours`;
  try {
    let text = "";
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > refusalBytesMax) break;
    }
    const { code, message } = JSON.parse(text) as Record<string, unknown>;
    if (typeof code === "string" && typeof message === "string") return { code, message };
  } catch {
    // It is not one of our refusals: the status says all there is to say.
  }
  return { message: otherwise, code: undefined };
}
