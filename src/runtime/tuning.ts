/** The part of the settings' `tuning` that is for one machine of the core: `cleanup.intervalMs`. */

/** Names that the machine does not know are left out. */
export function tuningOf<Tuning extends Readonly<Record<keyof Tuning, number>>>(
  machine: string,
  defaults: Tuning,
  given: Readonly<Record<string, number>>,
): Partial<Tuning> {
  const known = Object.keys(defaults).flatMap((name) => {
    const value = given[`${machine}.${name}`];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(known) as Partial<Tuning>;
}
