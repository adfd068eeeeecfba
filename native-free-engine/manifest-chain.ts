/**
 * The manifest in use, and its successor when it has grown long: a manifest gains a record with
 * every flush, and a fresh one begins with one record of the whole state.
 */
import { switchCurrent } from "./current.ts";
import type { Disk } from "./disk/disk.ts";
import type { EngineError } from "./errors.ts";
import { manifestName, pathIn } from "./files.ts";
import { ManifestWriter } from "./manifest.ts";
import type { ManifestState } from "./manifest-state.ts";
import type { Edit } from "./version.ts";

export class ManifestChain {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #rollBytes: number;
  readonly #takeNumber: () => number;
  readonly #state: () => ManifestState;
  #current: ManifestWriter;

  constructor(
    first: ManifestWriter,
    parts: {
      readonly disk: Disk;
      readonly directory: string;
      readonly rollBytes: number;
      readonly takeNumber: () => number;
      /** The state without the edit that comes next. */
      readonly state: () => ManifestState;
    },
  ) {
    this.#current = first;
    this.#disk = parts.disk;
    this.#directory = parts.directory;
    this.#rollBytes = parts.rollBytes;
    this.#takeNumber = parts.takeNumber;
    this.#state = parts.state;
  }

  /** Why nothing is appended any more, if so. */
  get failure(): EngineError | undefined {
    return this.#current.failure;
  }

  /** Durable when it resolves. One at a time. */
  async append(edit: Edit): Promise<void> {
    if (this.#current.outgrows(this.#rollBytes)) await this.#roll();
    await this.#current.append(edit);
  }

  /** Makes all proof of what is in the manifest durable, and closes it: a clean shutdown. */
  finish(): Promise<void> {
    return this.#current.finish();
  }

  close(): void {
    this.#current.close();
  }

  async #roll(): Promise<void> {
    const before = this.#current;
    const place = { disk: this.#disk, directory: this.#directory };
    const number = this.#takeNumber();
    const next = await ManifestWriter.create({ ...place, number, state: this.#state() });
    await switchCurrent(this.#disk, this.#directory, number);
    this.#current = next;
    before.close();
    try {
      this.#disk.removeSync(pathIn(this.#directory, manifestName(before.number)));
    } catch {
      // The next open removes what could not be removed now.
    }
  }
}
