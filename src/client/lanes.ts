/** Many calls of one verb, a bounded number of them at a time, so that others have room beside. */

const lanesMax = 256;

/** The answers in the order of the items; rejects with the first failure, and asks no more then. */
export async function inLanes<T, R>(
  items: readonly T[],
  ask: (item: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = new Array(items.length);
  const remaining = items.entries();
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    for (const [at, item] of remaining) {
      if (hasFailed) return;
      try {
        answers[at] = await ask(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanesMax, items.length) }, lane));
  return answers;
}
