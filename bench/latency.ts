/**
 * Latencies, by hdr-histogram-js: three significant digits from 10 ns to a minute. Taking a time
 * costs about 40 ns, so quick operations are sampled, one in 17: an odd number, which does not
 * fall into step with 128 callers or batches of 64.
 */
import type { Histogram } from "hdr-histogram-js";
import { loadTool } from "./peers.ts";

export const sampledOneIn = 17;

export interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly samples: number;
}

type Library = typeof import("hdr-histogram-js");

const unitsPerMs = 100_000;
const highestMs = 60_000;

let library: Library | undefined;

export const histogramPackage = "hdr-histogram-js";

export async function loadHistograms(): Promise<void> {
  library ??= await loadTool<Library>(histogramPackage, () => import("hdr-histogram-js"));
}

export class Latencies {
  readonly #histogram: Histogram;

  constructor() {
    if (library === undefined) throw new Error("loadHistograms was not awaited");
    this.#histogram = library.build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: highestMs * unitsPerMs,
      numberOfSignificantValueDigits: 3,
      bitBucketSize: 32,
      autoResize: true,
      useWebAssembly: false,
    });
  }

  record(ms: number): void {
    this.#histogram.recordValue(Math.max(1, Math.min(highestMs, ms) * unitsPerMs));
  }

  percentiles(): Percentiles {
    const at = (percentile: number): number =>
      this.#histogram.getValueAtPercentile(percentile) / unitsPerMs;
    return {
      p50Ms: at(50),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: this.#histogram.maxValue / unitsPerMs,
      samples: this.#histogram.totalCount,
    };
  }
}
