/** Everything that takes bytes or text which somebody else may have made. */
import { contextDecoders } from "./context-decoders.ts";
import { engineDecoders } from "./engine-decoders.ts";
import { kvctlDecoders } from "./kvctl-decoders.ts";
import { messageDecoders } from "./message-decoders.ts";
import { nodeDecoders } from "./node-decoders.ts";
import type { Decoder } from "./trial.ts";
import { wireDecoders } from "./wire-decoders.ts";

/** In two halves that take about as long as each other. */
export const halves: readonly [readonly Decoder[], readonly Decoder[]] = [
  [...wireDecoders, ...messageDecoders, ...nodeDecoders],
  [...engineDecoders, ...contextDecoders, ...kvctlDecoders],
];

export const decoders: readonly Decoder[] = halves.flat();

/** Of so many inputs in all, those of each decoder. */
export function inputsOf(decoder: Decoder, all: number): number {
  const sum = decoders.reduce((total, { perMillion }) => total + perMillion, 0);
  return Math.max(1, Math.ceil((all * decoder.perMillion) / sum));
}
