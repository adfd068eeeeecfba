/** Refusals and failures as results. src/errors.ts explains the codes. */
import type { Failed } from "./message.ts";

export function failed(
  code: string,
  message: string,
  more: { readonly applied?: Failed["applied"]; readonly retryAfterMs?: number } = {},
): Failed {
  const { applied = "no", retryAfterMs = 0 } = more;
  return { kind: "failed", code, message, applied, retryAfterMs };
}
