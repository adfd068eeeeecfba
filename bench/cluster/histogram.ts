/**
 * Latencies by Node's own histogram: three significant digits from a nanosecond to a minute. It
 * needs no package, so that `kvctl bench -e` works wherever Everwrite is installed.
 */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import type { Percentiles } from "../latency.ts";

const nanosecondsMax = 60_000_000_000;

export class Histogram {
  readonly #histogram: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: nanosecondsMax,
    figures: 3,
  });

  record(ms: number): void {
    // Two looks at the clock may give the same time, and a histogram holds nothing below 1.
    this.#histogram.record(Math.max(1, Math.min(nanosecondsMax, Math.round(ms * 1e6))));
  }

  percentiles(): Percentiles {
    const at = (percentile: number): number => this.#histogram.percentile(percentile) / 1e6;
    const samples = this.#histogram.count;
    if (samples === 0) return { p50Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0, samples };
    const maxMs = this.#histogram.max / 1e6;
    return { p50Ms: at(50), p99Ms: at(99), p999Ms: at(99.9), maxMs, samples };
  }
}
