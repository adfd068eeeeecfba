/**
 * A context as clients hold it: sealed bytes that say what was seen of one key, to be given back
 * with the next write of that key. Printed as base64url.
 */
import { ClusterError } from "../errors.ts";

export class Context {
  /** The sealed token; empty when nothing was ever written under the key. */
  readonly bytes: Uint8Array;
  /** The node that answered fastest, where the next write should go; 0 when not known. */
  readonly fastest: number;

  constructor(bytes: Uint8Array, fastest = 0) {
    this.bytes = bytes;
    this.fastest = fastest;
  }

  /** From what `toString` printed, in this program or another. */
  static parse(text: string): Context {
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) {
      throw new ClusterError(
        "CONTEXT_INVALID",
        `a context is base64url, but this is not: ${JSON.stringify(text.slice(0, 64))}; ` +
          "use one that get or put returned, whole",
      );
    }
    return new Context(new Uint8Array(Buffer.from(text, "base64url")));
  }

  toString(): string {
    return Buffer.from(this.bytes).toString("base64url");
  }

  toJSON(): string {
    return this.toString();
  }
}
