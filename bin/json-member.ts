/**
 * The text of one member of a JSON object, as it stands in the line. Parsing and printing again
 * would change it: 12345678901234567890 comes back as 12345678901234567000.
 */

/** The last top-level member of that name in a line that JSON.parse has accepted as an object. */
export function sourceOfMember(line: string, name: string): string | undefined {
  let found: string | undefined;
  let at = line.indexOf("{") + 1;
  for (;;) {
    at = skipBlanks(line, at);
    if (line[at] !== '"') return found;
    const afterName = endOfString(line, at);
    const isWanted = JSON.parse(line.slice(at, afterName)) === name;
    const start = skipBlanks(line, skipBlanks(line, afterName) + 1);
    const end = endOfValue(line, start);
    if (isWanted) found = line.slice(start, end);
    at = skipBlanks(line, end);
    if (line[at] !== ",") return found;
    at += 1;
  }
}

function skipBlanks(line: string, at: number): number {
  let next = at;
  while (next < line.length && " \t\r\n".includes(line[next]!)) next += 1;
  return next;
}

/** Behind the closing quote of the string that begins at `at`. */
function endOfString(line: string, at: number): number {
  let next = at + 1;
  while (next < line.length && line[next] !== '"') next += line[next] === "\\" ? 2 : 1;
  return next + 1;
}

function endOfValue(line: string, at: number): number {
  let depth = 0;
  let next = at;
  while (next < line.length) {
    const character = line[next]!;
    if (character === '"') {
      next = endOfString(line, next);
      if (depth === 0) return next;
      continue;
    }
    if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") {
      if (depth === 0) return next;
      depth -= 1;
      if (depth === 0) return next + 1;
    } else if (depth === 0 && ", \t\r\n".includes(character)) return next;
    next += 1;
  }
  return next;
}
