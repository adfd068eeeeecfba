/** Refusals and failures as results. The codes are those of src/errors.ts, where they are explained. */
import type { Failed } from "./message.ts";

export function failed(
  code: string,
  message: string,
  more: { readonly applied?: Failed["applied"]; readonly retryAfterMs?: number } = {},
): Failed {
  const { applied = "no", retryAfterMs = 0 } = more;
  return { kind: "failed", code, message, applied, retryAfterMs };
}
