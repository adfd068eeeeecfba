/**
 * A whole node, told things that no node of ours would say: messages of every kind with any fields,
 * from members and from strangers, and operators' commands with any arguments. It may
 * refuse or ignore them; it never throws, and what it says is something that the wire can hold.
 */
import fc from "fast-check";
import type { Message } from "../../src/core/message.ts";
import { anyMessageOf, everyKind } from "../core/any-message.ts";
import { pick } from "../support/random.ts";
import { partitions, ring, SmallTown } from "./small-town.ts";
import { mutateText, oneOf } from "./text-mutator.ts";
import type { Decoder, Draw } from "./trial.ts";

export const messageDecoders: readonly Decoder[] = [
  { name: "messages", perMillion: 1_500, prepare: drawStories },
];

const surveys = [
  '{"ask":"state"}',
  '{"ask":"versions","bucket":"","key":"61"}',
  '{"ask":"epoch","epoch":5}',
  '{"ask":"checkpoint","name":"monday","node":0}',
  '{"ask":"transfers"}',
  '{"ask":"cleanup"}',
];
const answers = [
  '{"epoch":5,"hints":[{"target":2,"keys":3}],"rebuilding":0,"catchingUp":0,"bytes":9,"roots":{}}',
  '{"standing":"current","versions":{}}',
  '{"kind":"made","path":"p","bytes":1,"keys":1}',
];
const commands = [
  ...["status", "ring", "locate", "hints", "repair", "versions", "transfers", "cleanup", "epoch"],
  ...["plan", "commit", "abort", "change", "join", "force", "sizes", "checkpoint", "no-such"],
  ...["bucket-create", "bucket-set", "bucket-list", "rotate-context-key", "toString"],
];
const given = [
  '{"key":"61ff","bucket":"carts"}',
  '{"kind":"weight","node":2,"weight":1.5}',
  '{"kind":"leave","node":"127.0.0.1:7403"}',
  '{"address":"127.0.0.1:7405","dc":"dc1","rack":"r1","weight":1,"clock":1,"attempt":"a"}',
  '{"name":"carts","r":2,"w":2,"resolver":"union","ttlMs":0}',
  '{"lost":[3],"plan":"0123","name":"monday","node":2}',
];

function drawStories(): Draw {
  const pool = everyKind.flatMap((kind) => fc.sample(anyMessageOf(kind), { seed: 1, numRuns: 12 }));
  return (random) => {
    const events = Array.from({ length: 1 + pick(random, 4) }, () => {
      const now = 1000 + pick(random, 100_000);
      if (random() < 0.3) {
        const text = mutateText(random, given);
        const name = oneOf(random, commands);
        const deadlineMs = pick(random, 5000);
        const command = { kind: "admin", name, arguments: text, deadlineMs } as const;
        return { kind: "request", now, id: now, command, by: "root" } as const;
      }
      const from = [2, 2, 3, 4, 9][pick(random, 5)] ?? 2;
      const drawn = pool[pick(random, pool.length)] ?? { kind: "go-away" };
      return { kind: "message", now, from, message: altered(random, drawn) } as const;
    });
    const shown = JSON.stringify(events, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    );
    return {
      bytes: shown.length,
      judge: () => {
        const town = new SmallTown();
        return events.map((event) => town.tell(event)).includes(true);
      },
      show: () => shown,
    };
  };
}

/** Closer to what the node can make something of: its own partitions, and JSON that is one. */
function altered(random: () => number, message: Message): Message {
  const changed = { ...message } as Record<string, unknown>;
  if ("partition" in changed && random() < 0.9) changed["partition"] = pick(random, partitions);
  if ("epoch" in changed && random() < 0.7) changed["epoch"] = 4 + pick(random, 3);
  if ("question" in changed) changed["question"] = mutateText(random, surveys);
  if ("answer" in changed) changed["answer"] = mutateText(random, answers);
  if ("request" in changed && random() < 0.7) changed["request"] = pick(random, 4);
  if (message.kind === "ring" || message.kind === "accept") {
    if (random() < 0.5) changed["state"] = { ...message.state, clusterId: ring.clusterId };
  }
  return changed as unknown as Message;
}
