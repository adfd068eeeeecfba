/**
 * Counts what a `MemoryDisk` is asked to do, and fails the operations it was told to fail. A test
 * runs a script once to learn how many operations it takes, then once for each of them and each
 * fault.
 */

/**
 * - `crash`: the power goes before the operation; every later call throws `DiskCrashed`.
 * - `EIO`: this operation fails. A sync that fails loses what it should have made durable.
 * - `ENOSPC`: a write of more than one byte is short first, and what needs space next fails. A
 *   sync can fail of it too, because many file systems find the space only then.
 * - `short`: a write takes half; other operations are not affected.
 * - Sticky: so does all that follows; a full disk still syncs, and removes files.
 */
export type Fault = "crash" | "EIO" | "EIO-sticky" | "ENOSPC" | "ENOSPC-sticky" | "short";

export type ReadFault = "crash" | "EIO" | "EIO-sticky";

/** What touches the medium. Looking at names and sizes is free. */
export type Verb =
  | "create"
  | "write"
  | "sync"
  | "rename"
  | "link"
  | "remove"
  | "removeDirectory"
  | "makeDirectory"
  | "syncDirectory";

/** How many bytes a write may take, and what it must throw once they are written. */
export interface Admission {
  readonly bytes: number;
  readonly error: Error | undefined;
}

/** The power is gone; what is left is to be had from `MemoryDisk.crash`. */
export class DiskCrashed extends Error {
  override readonly name = "DiskCrashed";
}

interface Plan {
  readonly fault: Fault;
  readonly torn: number;
}

export class MemoryFaults {
  operations = 0;
  reads = 0;
  readonly journal: string[] = [];
  readonly #keepsJournal: boolean;
  readonly #watch: (() => void) | undefined;
  readonly #plans = new Map<number, Plan>();
  readonly #readPlans = new Map<number, ReadFault>();
  #crashedAt: string | undefined;
  #isBroken = false;
  #cannotRead = false;
  #isFull = false;
  /** A write was cut short for want of space; the next one gets none at all. */
  #isNextFull = false;

  constructor(keepsJournal: boolean, watch: (() => void) | undefined) {
    this.#keepsJournal = keepsJournal;
    this.#watch = watch;
  }

  get hasCrashed(): boolean {
    return this.#crashedAt !== undefined;
  }

  plan(operation: number, fault: Fault, torn: number): void {
    this.#plans.set(operation, { fault, torn });
  }

  planRead(read: number, fault: ReadFault): void {
    this.#readPlans.set(read, fault);
  }

  /** The device is replaced, the disk has room; a crash stays a crash. */
  heal(): void {
    this.#plans.clear();
    this.#readPlans.clear();
    this.#isBroken = false;
    this.#cannotRead = false;
    this.#isFull = false;
    this.#isNextFull = false;
  }

  /** Every call on a crashed disk ends here. */
  assertPowered(): void {
    if (this.#crashedAt !== undefined) throw new DiskCrashed(this.#crashedAt);
  }

  /** Counts an operation and returns the error with which it fails, if it does. */
  admit(verb: Verb, path: string): Error | undefined {
    const plan = this.#count(verb, path);
    if (plan?.fault === "crash") return this.#crash(verb, path);
    const failed = this.#standing(verb, path);
    if (failed !== undefined || plan === undefined) return failed;
    switch (plan.fault) {
      case "EIO-sticky":
        this.#isBroken = true;
        return systemError("EIO", verb, path);
      case "EIO":
        return systemError("EIO", verb, path);
      case "ENOSPC-sticky":
        this.#isFull = true;
        return canLackSpace(verb) ? systemError("ENOSPC", verb, path) : undefined;
      case "ENOSPC":
        return canLackSpace(verb) ? systemError("ENOSPC", verb, path) : undefined;
      default:
        return undefined;
    }
  }

  /** The same for a write of so many bytes, of which the quota has room for `room`. */
  admitWrite(path: string, position: number, length: number, room: number): Admission {
    const plan = this.#count("write", `${path} ${position}+${length}`);
    if (plan?.fault === "crash") {
      const bytes = Math.floor(length * plan.torn);
      return { bytes, error: this.#crash("write", `${path} ${position}+${length}`) };
    }
    const failed = this.#standing("write", path);
    if (failed !== undefined) return { bytes: 0, error: failed };
    if (plan?.fault === "EIO" || plan?.fault === "EIO-sticky") {
      this.#isBroken = plan.fault === "EIO-sticky";
      return { bytes: 0, error: systemError("EIO", "write", path) };
    }
    if (room <= 0 && length > 0) return { bytes: 0, error: systemError("ENOSPC", "write", path) };
    if (plan?.fault === "ENOSPC" || plan?.fault === "ENOSPC-sticky") {
      this.#isFull = plan.fault === "ENOSPC-sticky";
      if (length <= 1) return { bytes: 0, error: systemError("ENOSPC", "write", path) };
      this.#isNextFull = true;
      return { bytes: Math.min(length >> 1, room), error: undefined };
    }
    const bytes = plan?.fault === "short" ? Math.max(1, length >> 1) : length;
    return { bytes: Math.min(bytes, length, room), error: undefined };
  }

  /** Counts a read and throws what it was told to throw. */
  admitRead(path: string): void {
    this.assertPowered();
    this.reads += 1;
    const fault = this.#readPlans.get(this.reads);
    if (fault === "crash") {
      this.#crashedAt = `crash at read ${this.reads}: read ${path}`;
      this.assertPowered();
    }
    if (fault === "EIO-sticky") this.#cannotRead = true;
    if (fault === "EIO" || this.#cannotRead) throw systemError("EIO", "read", path);
  }

  #count(verb: Verb, detail: string): Plan | undefined {
    this.assertPowered();
    this.#watch?.();
    this.operations += 1;
    if (this.#keepsJournal) this.journal.push(`${verb} ${detail}`);
    return this.#plans.get(this.operations);
  }

  #crash(verb: Verb, detail: string): DiskCrashed {
    this.#crashedAt = `crash at operation ${this.operations}: ${verb} ${detail}`;
    return new DiskCrashed(this.#crashedAt);
  }

  #standing(verb: Verb, path: string): Error | undefined {
    if (this.#isBroken) return systemError("EIO", verb, path);
    if (!needsSpace(verb)) return undefined;
    const isFull = this.#isFull || this.#isNextFull;
    this.#isNextFull = false;
    return isFull ? systemError("ENOSPC", verb, path) : undefined;
  }
}

function needsSpace(verb: Verb): boolean {
  return (
    verb === "write" ||
    verb === "create" ||
    verb === "link" ||
    verb === "rename" ||
    verb === "makeDirectory"
  );
}

function canLackSpace(verb: Verb): boolean {
  return needsSpace(verb) || verb === "sync" || verb === "syncDirectory";
}

const texts: Record<string, string> = {
  EBADF: "file is closed",
  EEXIST: "file already exists",
  EIO: "i/o error",
  EISDIR: "illegal operation on a directory",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
  ENOTEMPTY: "directory not empty",
};

/** In the shape of Node's: callers look at `code`. */
export function systemError(code: string, syscall: string, path: string): NodeJS.ErrnoException {
  const message = `${code}: ${texts[code] ?? "failed"}, ${syscall} '${path}'`;
  return Object.assign(new Error(message), { code, syscall, path });
}
