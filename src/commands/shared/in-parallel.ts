/** Runs `work` over all items, at most `width` at the same time; rejects with the first failure. */
export const inParallel = async <T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> => {
  const rest = items.values()
  const worker = async (): Promise<void> => {
    // All workers draw from one iterator.
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker))
}
