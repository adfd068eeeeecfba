/** Which failures of TLS are final: only those that trying again cannot mend. */
import { expect, test } from "vitest";
import { dialFailureOf } from "../../src/runtime/tls-failure.ts";

function failureOf(code: string, message: string) {
  return dialFailureOf(Object.assign(new Error(message), { code }), { isTls: true });
}

test.each([
  [
    "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "00A:error:0A000119:SSL routines:tls_get_more_records:decryption failed or bad record mac:" +
      "../deps/openssl/openssl/ssl/record/methods/tls_common.c:862:",
  ],
  [
    "ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC",
    "00A:error:0A0003FC:SSL routines:ssl3_read_bytes:sslv3 alert bad record mac:" +
      "../deps/openssl/openssl/ssl/record/rec_layer_s3.c:1605:SSL alert number 20",
  ],
])("bytes that were spoilt on the way (%s) are no verdict on the other side", (code, message) => {
  const failure = failureOf(code, message);
  expect(failure.code).toBeUndefined();
  expect(failure.message).toContain("changed on the way");
});

test("a certificate that is not believed, or no TLS at all, is one", () => {
  expect(failureOf("CERT_HAS_EXPIRED", "certificate has expired").code).toBe("TLS_FAILED");
  expect(failureOf("ERR_SSL_WRONG_VERSION_NUMBER", "wrong version number").code).toBe("TLS_FAILED");
});
