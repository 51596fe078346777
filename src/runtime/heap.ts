/**
 * A binary min-heap whose elements are known by a key, so that one can be moved or taken out in O(log n). The delayed and
 * the ready part of the queue are both one of these.
 */
export class KeyedHeap<T extends { readonly key: string }> {
  readonly #before: (a: T, b: T) => boolean
  readonly #items: T[] = []
  readonly #positions = new Map<string, number>()

  /** `before(a, b)`: a strict order, true where `a` leaves first. */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  get(key: string): T | undefined {
    const at = this.#positions.get(key)
    return at === undefined ? undefined : this.#items[at]
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  /** Adds the element, or puts it in the place of the one with the same key. */
  put(item: T): void {
    const at = this.#positions.get(item.key) ?? this.#items.length
    this.#place(item, at)
    this.#settle(item, at)
  }

  pop(): T | undefined {
    const first = this.#items[0]
    if (first) this.delete(first.key)
    return first
  }

  delete(key: string): T | undefined {
    const at = this.#positions.get(key)
    if (at === undefined) return undefined
    const removed = this.#items[at]
    const last = this.#items.pop()
    this.#positions.delete(key)
    if (last && removed !== last) {
      this.#place(last, at)
      this.#settle(last, at)
    }
    return removed
  }

  clear(): void {
    this.#items.length = 0
    this.#positions.clear()
  }

  #place(item: T, at: number): void {
    this.#items[at] = item
    this.#positions.set(item.key, at)
  }

  #settle(item: T, from: number): void {
    this.#sink(item, this.#rise(item, from))
  }

  #rise(item: T, from: number): number {
    let at = from
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = this.#items[up]
      if (!parent || !this.#before(item, parent)) break
      this.#place(parent, at)
      at = up
    }
    this.#place(item, at)
    return at
  }

  #sink(item: T, from: number): void {
    let at = from
    for (;;) {
      const left = 2 * at + 1
      const leftItem = this.#items[left]
      if (!leftItem) break
      const rightItem = this.#items[left + 1]
      const down = rightItem && this.#before(rightItem, leftItem) ? left + 1 : left
      const child = down === left ? leftItem : rightItem
      if (!child || !this.#before(child, item)) break
      this.#place(child, at)
      at = down
    }
    this.#place(item, at)
  }
}
