/**
 * JSON as people write it into settings, read strictly: a field that an object holds twice is an
 * error. JSON.parse takes the later one, so that two readers of one file, one of them a person, may
 * understand different things (CouchDB made administrators of whoever knew that).
 */

/** No settings of ours are as deep; whoever prints what is deeper may run out of stack. */
const depthMax = 64;

/** Throws a SyntaxError that says what is wrong. */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const field = doubledField(text);
  if (field === undefined) return value;
  throw new SyntaxError(`the field ${JSON.stringify(field)} is there twice`);
}

/** Looks at strings and brackets only: the rest of the text is known to be well formed. */
function doubledField(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let isNameNext = false;
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g)) {
    if (token === "{" || token === "[") {
      open.push(token === "{" ? new Set() : undefined);
      if (open.length > depthMax) throw new SyntaxError(`it is nested more than ${depthMax} deep`);
      isNameNext = token === "{";
      continue;
    }
    const names = open.at(-1);
    if (token === "}" || token === "]") open.pop();
    else if (token === ",") {
      isNameNext = names !== undefined;
      continue;
    } else if (isNameNext && names !== undefined) {
      const name = JSON.parse(token) as string;
      if (names.has(name)) return name;
      names.add(name);
    }
    isNameNext = false;
  }
  return undefined;
}
