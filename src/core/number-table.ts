/**
 * What is under way, by number. Entries come and go with each request, and that is what a Map is
 * bad at: V8 chains each table that a Map grew out of to the next one, so that once one of them is
 * old, all entries since outlive every small collection. Here nothing is ever allocated but to
 * grow. Numbers follow each other mostly, so a multiplication spreads them well enough.
 */

const slotsMin = 64;
/** No number in use: those are whole, from 0. */
const free = -1;

export class NumberTable<T> {
  #numbers = new Float64Array(slotsMin).fill(free);
  #items: (T | undefined)[] = new Array(slotsMin).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): T | undefined {
    const numbers = this.#numbers;
    const mask = numbers.length - 1;
    for (let at = slotOf(number, mask); ; at = (at + 1) & mask) {
      const found = numbers[at];
      if (found === number) return this.#items[at];
      if (found === free) return undefined;
    }
  }

  /** Adds an item under a number that has none. */
  add(number: number, item: T): void {
    if (2 * this.#size >= this.#numbers.length) this.#grow();
    const mask = this.#numbers.length - 1;
    let at = slotOf(number, mask);
    while (this.#numbers[at] !== free) at = (at + 1) & mask;
    this.#numbers[at] = number;
    this.#items[at] = item;
    this.#size += 1;
  }

  /** Removes what is there under the number, and returns it. */
  take(number: number): T | undefined {
    const numbers = this.#numbers;
    const mask = numbers.length - 1;
    let at = slotOf(number, mask);
    for (; numbers[at] !== number; at = (at + 1) & mask) {
      if (numbers[at] === free) return undefined;
    }
    const item = this.#items[at];
    this.#size -= 1;
    this.#close(at, mask);
    return item;
  }

  /** Those in use, the lowest first. */
  numbers(): readonly number[] {
    return [...this.#numbers.filter((number) => number !== free).sort()];
  }

  clear(): void {
    this.#numbers.fill(free);
    this.#items.fill(undefined);
    this.#size = 0;
  }

  /** Moves up what stands behind a gap only because its own place was taken. */
  #close(from: number, mask: number): void {
    const numbers = this.#numbers;
    const items = this.#items;
    let gap = from;
    for (let at = (gap + 1) & mask; numbers[at] !== free; at = (at + 1) & mask) {
      const home = slotOf(numbers[at]!, mask);
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      numbers[gap] = numbers[at]!;
      items[gap] = items[at];
      gap = at;
    }
    numbers[gap] = free;
    items[gap] = undefined;
  }

  #grow(): void {
    const numbers = this.#numbers;
    const items = this.#items;
    this.#numbers = new Float64Array(2 * numbers.length).fill(free);
    this.#items = new Array(2 * numbers.length).fill(undefined);
    this.#size = 0;
    for (let at = 0; at < numbers.length; at++) {
      if (numbers[at] !== free) this.add(numbers[at]!, items[at] as T);
    }
  }
}

function slotOf(number: number, mask: number): number {
  return Math.imul(number, 0x9e3779b1) & mask;
}
