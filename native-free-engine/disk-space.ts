/**
 * A full disk is met before it hurts: below a reserve, writes are refused while everything that is
 * in memory can still be flushed; above it, they resume by themselves. Reads always go on.
 */
import type { Clock } from "./clock.ts";
import type { Disk } from "./disk/disk.ts";
import { EngineError } from "./errors.ts";

/** While refusing, the disk is asked at most this often. */
const askAgainMs = 200;
/** Writes resume with half as much again free, so that the two states do not alternate. */
const resumeRatio = 1.5;

export class DiskSpace {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #reserveBytes: number;
  readonly #clock: Clock;
  #refusal: EngineError | undefined;
  #asking = false;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: { disk: Disk; directory: string; reserveBytes: number; clock: Clock }) {
    this.#disk = parts.disk;
    this.#directory = parts.directory;
    this.#reserveBytes = parts.reserveBytes;
    this.#clock = parts.clock;
  }

  /** Why a write may not be taken now, if so. */
  get refusal(): EngineError | undefined {
    if (this.#refusal !== undefined && this.#clock.elapsed() - this.#askedAt > askAgainMs) {
      this.askSoon();
    }
    return this.#refusal;
  }

  /** Looks at the disk without waiting: called whenever a segment was filled. */
  askSoon(): void {
    void this.ask();
  }

  /** Looks at the disk. Never rejects: a disk that cannot tell counts as having room. */
  async ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    this.#askedAt = this.#clock.elapsed();
    try {
      const free = await this.#disk.freeBytes(this.#directory);
      const need = this.#reserveBytes * (this.#refusal === undefined ? 1 : resumeRatio);
      this.#refusal = free >= need ? undefined : this.#full(free);
    } catch {
      this.#refusal = undefined;
    } finally {
      this.#asking = false;
    }
  }

  #full(free: number): EngineError {
    return new EngineError(
      "DISK_FULL",
      `only ${mebibytes(free)} free on the disk of ${this.#directory}, below the reserve of ` +
        `${mebibytes(this.#reserveBytes)}; reads are served, writes resume when there is room`,
    );
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
