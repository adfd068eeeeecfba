/**
 * Changes to text: letters, words and values become others, members come twice, other samples are
 * mixed in, and now and then something is far longer or deeper than anybody would write it.
 */
import { pick } from "../support/random.ts";

const letters = [...'{}[]",:\\0aA9-_ \n\r\té\u0000%/+.@=\u{1f600}\ud800\u2028\ufeff'];
const values = [
  ...["null", "true", "0", "-0", "-1", "1", "1.5", "1e999", "-1e999", "9007199254740993"],
  ...["1e-7", '""', '"\\ud800"', '"\\u0000"', '"__proto__"', "[]", "{}", "[[]]", "[null]"],
  ...['{"__proto__":{"a":1}}', '{"length":4294967295}', "NaN", "0x10", "01", "4294967296"],
];
const words = /"(?:[^"\\]|\\.)*"|[A-Za-z0-9._+-]+/g;
const members = /"[^"]*"\s*:\s*(?:"[^"]*"|[\w.-]+)/g;
/** One input in so many is long or deep. */
const giantOneIn = 2000;
const giantLength = 60_000;

export function mutateText(random: () => number, samples: readonly string[]): string {
  let text = oneOf(random, samples);
  for (let changes = 1 + pick(random, 3); changes > 0; changes--) {
    text = changed(random, text, samples);
  }
  return text;
}

export function oneOf(random: () => number, list: readonly string[]): string {
  return list[pick(random, list.length)] ?? "";
}

function changed(random: () => number, text: string, samples: readonly string[]): string {
  const at = pick(random, text.length + 1);
  const length = pick(random, 12);
  if (pick(random, giantOneIn) === 0) return withGiant(random, text);
  switch (pick(random, 9)) {
    case 0:
      return text.slice(0, at) + oneOf(random, letters) + text.slice(at);
    case 1:
      return text.slice(0, at) + oneOf(random, letters) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + text.slice(at + length);
    case 3:
      return text.slice(0, at) + text.slice(at, at + length).repeat(2) + text.slice(at + length);
    case 4:
      return text.slice(0, at);
    case 5: {
      const other = oneOf(random, samples);
      return text.slice(0, at) + other.slice(pick(random, other.length + 1));
    }
    case 6:
      return withMatch(random, text, members, (found) => `${found},${found}`);
    default:
      return withMatch(random, text, words, () => oneOf(random, values));
  }
}

function withMatch(
  random: () => number,
  text: string,
  form: RegExp,
  replaced: (found: string) => string,
): string {
  const found = [...text.matchAll(form)];
  const one = found[pick(random, found.length)];
  if (one === undefined) return text;
  const [match] = one;
  return text.slice(0, one.index) + replaced(match) + text.slice(one.index + match.length);
}

/** A word that is as long as a page, or a value that is as deep as it is long. */
function withGiant(random: () => number, text: string): string {
  const half = giantLength / 2;
  const giants = [
    `"${"x".repeat(giantLength)}"`,
    "[".repeat(half) + "]".repeat(half),
    `${'{"a":'.repeat(half / 4)}1${"}".repeat(half / 4)}`,
    "9".repeat(giantLength),
    `"${"\\u0041".repeat(giantLength / 6)}"`,
    "[".repeat(giantLength),
  ];
  return withMatch(random, text, words, () => oneOf(random, giants));
}
