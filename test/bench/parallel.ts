/** Runs `task` for each item, `width` at a time, in order. */
export const inParallel = async <T>(
  width: number,
  items: readonly T[],
  task: (item: T, index: number) => Promise<void>,
): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) await task(items[index] as T, index)
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker))
}
