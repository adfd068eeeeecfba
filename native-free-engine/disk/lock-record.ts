/**
 * What a LOCK file says, and whether its writer can still be holding the lock. It is one line of
 * JSON. A process id alone proves nothing: ids are used again, so the record also tells when that
 * process started and in which boot of the machine.
 */

export interface LockRecord {
  readonly pid: number;
  /** As the kernel tells it; "" where it does not. */
  readonly startTime: string;
  /** "" where the system has none. */
  readonly bootId: string;
  /** Where the holder also holds a kernel lock: the network namespace of it. Else "". */
  readonly namespace: string;
  readonly hostname: string;
  /** Wall-clock milliseconds. */
  readonly since: number;
  /** Tells this record from every other. */
  readonly nonce: string;
}

/** What can be known from here about the writer of a record. */
export interface Witness {
  readonly hostname: string;
  readonly bootId: string;
  /** Set while this process holds the kernel lock that all holders in that namespace take. */
  readonly namespace: string;
  /** undefined: no such process; "": there is one, started nobody knows when. */
  startTimeOf(pid: number): string | undefined;
}

/** `unknowable` from here: the writer is on another host. */
export type Verdict = "dead" | "alive" | "unknowable";

/** Works from values alone, so a test can enumerate who may take over from whom. */
export function judge(record: LockRecord, witness: Witness): Verdict {
  const isSameBoot = record.bootId !== "" && record.bootId === witness.bootId;
  // The kernel let us have what a live holder would still hold: no doubt is left.
  if (isSameBoot && record.namespace !== "" && record.namespace === witness.namespace)
    return "dead";
  if (record.hostname !== witness.hostname) return "unknowable";
  if (record.bootId !== "" && witness.bootId !== "" && !isSameBoot) return "dead";
  const startTime = witness.startTimeOf(record.pid);
  if (startTime === undefined) return "dead";
  const areKnown = startTime !== "" && record.startTime !== "";
  return areKnown && startTime !== record.startTime ? "dead" : "alive";
}

export function encodeLockRecord(record: LockRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** undefined for what no holder writes: an empty, cut or foreign file. */
export function decodeLockRecord(text: string): LockRecord | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { pid, startTime, bootId, namespace, hostname, since, nonce } = parsed as Partial<
    Record<keyof LockRecord, unknown>
  >;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (typeof since !== "number") return undefined;
  if (typeof startTime !== "string" || typeof bootId !== "string") return undefined;
  if (typeof namespace !== "string" || typeof hostname !== "string") return undefined;
  if (typeof nonce !== "string") return undefined;
  return { pid, startTime, bootId, namespace, hostname, since, nonce };
}
