/** Secondary indexes: name → value → objects. */

/** Each gives the values under which an object is found; none, one or several. Pure, and must not throw. */
export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>

interface Index<T> {
  readonly valuesOf: (object: T) => readonly string[]
  readonly byValue: Map<string, Map<string, T>>
}

export class Indexes<T> {
  readonly #indexes: ReadonlyMap<string, Index<T>>

  constructor(indexers: Indexers<T>) {
    this.#indexes = new Map(
      Object.entries(indexers).map(([name, valuesOf]) => [
        name,
        { valuesOf, byValue: new Map<string, Map<string, T>>() },
      ]),
    )
  }

  /** Throws RangeError for an index that was not declared. */
  get(name: string, value: string): T[] {
    const index = this.#indexes.get(name)
    if (!index) throw new RangeError(`there is no index "${name}"`)
    return [...(index.byValue.get(value)?.values() ?? [])]
  }

  /** Puts `after` where `before` was; undefined for none. */
  replace(key: string, before: T | undefined, after: T | undefined): void {
    for (const { valuesOf, byValue } of this.#indexes.values()) {
      const wanted = new Set(after === undefined ? [] : valuesOf(after))
      for (const value of before === undefined ? [] : valuesOf(before)) {
        if (wanted.has(value)) continue
        const found = byValue.get(value)
        found?.delete(key)
        if (found?.size === 0) byValue.delete(value)
      }
      for (const value of wanted) {
        const found = byValue.get(value)
        if (found) found.set(key, after as T)
        else byValue.set(value, new Map([[key, after as T]]))
      }
    }
  }
}
