/** What resolvers work on. */

export interface WrittenValue {
  readonly value: Uint8Array;
  /** When it was written, by the clock of its coordinator. */
  readonly time: number;
  readonly actor: string;
}

/**
 * One value in the place of several. Undefined when one of them is not of the resolver's form: then
 * all of them stay, because dropping what is not understood would lose it.
 */
export type Resolver = (siblings: readonly WrittenValue[]) => Uint8Array | undefined;
