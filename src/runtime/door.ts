/** Who is let in by the port, which opens before there is a node behind it. */
import type { Admission, Incoming } from "./listener.ts";

export class Door {
  #admit: ((incoming: Incoming) => Admission) | undefined;

  open(admit: (incoming: Incoming) => Admission): void {
    this.#admit = admit;
  }

  /** No new connections any more. */
  shut(): void {
    this.#admit = undefined;
  }

  admit(incoming: Incoming): Admission {
    if (this.#admit !== undefined) return this.#admit(incoming);
    const message = "the node is starting or stopping; try again in a moment, or ask another";
    return { kind: "refused", status: 503, code: "NOT_READY", message };
  }
}
