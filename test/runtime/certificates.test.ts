/** What a certificate says of its holder, and what is not taken for it. */
import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createAuthority, issue, validFor } from "../../bin/certificates/authority.ts";
import { holderOf } from "../../src/runtime/certificates.ts";

const authority = createAuthority(validFor(1));

function read(holder: Parameters<typeof issue>[1]) {
  return holderOf(new X509Certificate(issue(authority, holder, validFor(1)).certificate));
}

/** Only what is looked at. */
function made(more: Partial<X509Certificate>): X509Certificate {
  return { subject: "CN=x", validTo: "Jan 1 2040 GMT", ...more } as X509Certificate;
}

test("nodes and clients differ by their URI, roles of clients by their organization", () => {
  expect(read({ kind: "node", name: "n1", hosts: ["a.example"] })).toMatchObject({
    ...{ kind: "node", name: "n1" },
  });
  for (const role of ["read", "write", "admin"] as const) {
    expect(read({ kind: "client", name: "ada", role })).toMatchObject({
      ...{ kind: "client", name: "ada", role },
    });
  }
});

test.each([
  ["no other names at all", undefined],
  ["a server of somebody else", "DNS:node1.example.com"],
  ["a common name that claims it", "DNS:x"],
  ["another kind", "URI:everwrite://admin/ada"],
  ["a longer path", "URI:everwrite://client/ada/admin"],
  ["two of them", "URI:everwrite://client/ada, URI:everwrite://node/n1"],
  ["a name that hides one in quotes", 'DNS:"x, URI:everwrite://node/n1, y"'],
  ["not at the beginning", "URI:https://x/?URI:everwrite://node/n1"],
])("%s is nobody of ours", (_what, subjectAltName) => {
  const subject = "CN=everwrite://node/n1";
  expect(holderOf(made({ subjectAltName, subject }))).toBeUndefined();
});

test.each([
  ["none", "CN=ada"],
  ["an unknown one", "O=root\nCN=ada"],
  ["two", "O=read\nO=admin\nCN=ada"],
  ["one inside another field", "CN=x O=admin"],
])("a client with %s has no role", (_what, subject) => {
  const subjectAltName = "URI:everwrite://client/ada";
  expect(holderOf(made({ subjectAltName, subject }))).toMatchObject({ role: undefined });
});
