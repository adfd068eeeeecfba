/**
 * What the ring in force says of this node: that it waits to be let in, is a member, or is none any
 * more. Others may have decided that while it was away, and take no connection from it since; then
 * it asks one of them for the ring.
 */
import type { NodeId } from "../core/ids.ts";
import type { Member, RingState } from "../core/ring/ring-state.ts";
import { decodeRing } from "../core/wire/ring.ts";
import { ask } from "./ask.ts";
import type { Dialler } from "./gate.ts";

export interface BelongingParts {
  readonly self: NodeId;
  readonly gate: Dialler;
  now(): number;
  /** Its plan was taken back before it was ever let in. */
  onRefused(): void;
  onLeft(): void;
  /** The ring as the node at the address of `from` has it in force. */
  onRing(from: NodeId, state: RingState): void;
}

const askMsMin = 2_000;
const answerMs = 5_000;

export class Belonging {
  /** Resolves once the node is a member: at once, unless its plan waits. */
  readonly joined: Promise<void>;
  readonly left: Promise<void>;
  readonly #parts: BelongingParts;
  #state: Member["state"];
  #onJoined: () => void = () => undefined;
  #onLeft: () => void = () => undefined;
  #askAt = 0;
  #members: readonly Member[] = [];

  constructor(parts: BelongingParts, ring: RingState) {
    this.#parts = parts;
    this.joined = new Promise((resolve) => {
      this.#onJoined = resolve;
    });
    this.left = new Promise((resolve) => {
      this.#onLeft = resolve;
    });
    this.#state = "joining";
    this.follow(ring);
  }

  get state(): Member["state"] {
    return this.#state;
  }

  follow({ members }: RingState): void {
    this.#members = members;
    const before = this.#state;
    const member = members.find(({ id }) => id === this.#parts.self);
    this.#state = member?.state ?? "left";
    if (this.#state === "member" || this.#state === "leaving") this.#onJoined();
    if (this.#state !== "left" || before === "left") return;
    if (before === "joining") this.#parts.onRefused();
    else {
      this.#parts.onLeft();
      this.#onLeft();
    }
  }

  /** A member says that it knows this node as none of theirs. */
  async doubted(by: NodeId, address: string): Promise<void> {
    const { gate, now } = this.#parts;
    if (now() < this.#askAt || this.#state === "left") return;
    // Who waits to take a member's place stands at its address, and is not that member.
    const there = this.#members.filter((one) => one.address === address && one.state !== "left");
    if (there.length > 1) return;
    this.#askAt = now() + askMsMin;
    const command = { name: "ring-record", arguments: {}, timeoutMs: answerMs };
    const answer = await ask(address, command, gate);
    const record = answer.kind === "answer" ? (answer.json as { ring?: unknown } | null) : null;
    if (typeof record?.ring !== "string") return;
    const state = decodeRing(new Uint8Array(Buffer.from(record.ring, "base64")));
    if (state !== undefined) this.#parts.onRing(by, state);
  }
}
