/** Proofs between nodes: what a recorded, changed or foreign one is worth. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeHello } from "../../src/runtime/handshake.ts";
import {
  nonceHeader,
  type PeerSecrets,
  ProofJudge,
  parseSecrets,
  proofHeader,
  proofMsMax,
  prove,
  timeHeader,
} from "../../src/runtime/peer-proof.ts";

const secrets = parseSecrets("a secret of the cluster") as PeerSecrets;
const others = parseSecrets("a secret of another one") as PeerSecrets;
const claims = encodeHello({
  ...{ clusterId: "0".repeat(32), node: 2, to: 1, started: 5, epoch: 3, lane: "data", clock: 7 },
});
const now = 1_700_000_000_000;

function judged(
  headers: Readonly<Record<string, unknown>>,
  more: Partial<Parameters<ProofJudge["judge"]>[1]> = {},
) {
  return new ProofJudge(now - 60_000).judge(headers, { claims, secrets, now, ...more });
}

test("both sides prove that they hold the secret, and neither sends it", () => {
  const proof = prove(claims, secrets, now);
  const verdict = judged(proof.headers);
  expect(verdict.kind).toBe("proved");
  const answer = verdict.kind === "proved" ? verdict.headers : {};
  expect(proof.isAnswered(answer)).toBe(true);
  expect(proof.isAnswered({})).toBe(false);
  // A mirror of what was sent proves nothing.
  expect(proof.isAnswered(proof.headers)).toBe(false);
  expect(prove(claims, secrets, now).isAnswered(answer)).toBe(false);
  expect(JSON.stringify([proof.headers, answer])).not.toContain("a secret");
});

test("the worked example of WIRE.md is a proof, and so is its answer", () => {
  const page = readFileSync(new URL("../../src/WIRE.md", import.meta.url), "utf8");
  const example = /```text proof\n([^`]*)```/.exec(page)?.[1] ?? "";
  const lines = example
    .trim()
    .split("\n")
    .map((line) => line.split(": "));
  const shown = Object.fromEntries(lines) as Readonly<Record<string, string>>;
  const marks = [nonceHeader, timeHeader, proofHeader, `answer ${proofHeader}`];
  const said = lines.filter(([name = ""]) => !marks.includes(name));
  expect(Object.fromEntries(said)).toEqual(claims);
  const verdict = judged(shown, { now: Number(shown[timeHeader]) });
  expect(verdict).toMatchObject({
    ...{ kind: "proved", headers: { [proofHeader]: shown[`answer ${proofHeader}`] } },
  });
});

test("another secret is refused, by both", () => {
  const proof = prove(claims, others, now);
  expect(judged(proof.headers)).toMatchObject({ kind: "refused" });
  const verdict = judged(proof.headers, { secrets: others });
  expect(verdict.kind === "proved" && prove(claims, secrets, now).isAnswered(verdict.headers)).toBe(
    false,
  );
});

test("every claim is covered", () => {
  const { headers } = prove(claims, secrets, now);
  for (const name of Object.keys(claims)) {
    const changed = { ...claims, [name]: `${claims[name]}1` };
    expect(judged(headers, { claims: changed })).toMatchObject({ kind: "refused" });
  }
});

test("one bit changed anywhere, and it is no proof", () => {
  const { headers } = prove(claims, secrets, now);
  for (const name of [nonceHeader, proofHeader, timeHeader]) {
    const text = headers[name] ?? "";
    for (let i = 0; i < text.length; i++) {
      const other = text[i] === "1" ? "2" : "1";
      const changed = { ...headers, [name]: text.slice(0, i) + other + text.slice(i + 1) };
      expect(judged(changed)).toMatchObject({ kind: "refused" });
    }
  }
});

test("whatever the headers hold, the judge says no and does not throw", () => {
  const anything = fc.oneof(fc.string(), fc.constant(undefined), fc.array(fc.string()));
  fc.assert(
    fc.property(anything, anything, anything, (nonce, proof, time) => {
      const headers = { [nonceHeader]: nonce, [proofHeader]: proof, [timeHeader]: time };
      return judged(headers).kind === "refused";
    }),
  );
});

describe("a recorded proof", () => {
  test("is taken once, for as long as its time would be", () => {
    const judge = new ProofJudge(now - 60_000);
    const { headers } = prove(claims, secrets, now);
    const at = (later: number) => judge.judge(headers, { claims, secrets, now: now + later });
    expect(at(0).kind).toBe("proved");
    for (const later of [0, 1, proofMsMax - 1, proofMsMax, proofMsMax + 1, 60_000]) {
      expect(at(later)).toMatchObject({ kind: "refused" });
    }
  });

  test("from before this process is worth nothing", () => {
    const { headers } = prove(claims, secrets, now);
    const judge = new ProofJudge(now + 100);
    expect(judge.judge(headers, { claims, secrets, now: now + 200 })).toMatchObject({
      ...{ kind: "refused", why: expect.stringContaining("ms off") },
    });
  });

  test("of another time is refused; a dialler that is told the judge's clock gets in", () => {
    for (const skew of [-3_600_000, -proofMsMax - 1, proofMsMax + 1, 3_600_000]) {
      const theirs = now + skew;
      expect(judged(prove(claims, secrets, theirs).headers)).toMatchObject({ kind: "refused" });
      const ahead = now - theirs;
      expect(judged(prove(claims, secrets, theirs + ahead).headers).kind).toBe("proved");
    }
  });
});

test("while a secret is changed, both are taken, and the newest signs", () => {
  const both = parseSecrets("a secret of another one\na secret of the cluster\n") as PeerSecrets;
  for (const [theirs, ours] of [
    [both, others],
    [others, both],
    [secrets, both],
    [both, both],
  ] as const) {
    const proof = prove(claims, theirs, now);
    const verdict = judged(proof.headers, { secrets: ours });
    expect(verdict.kind === "proved" && proof.isAnswered(verdict.headers)).toBe(true);
  }
});

test("a secret that could be guessed is none", () => {
  for (const text of ["", "\n\n", "short", "a secret of the cluster\nshort"]) {
    expect(parseSecrets(text)).toBeUndefined();
  }
});
