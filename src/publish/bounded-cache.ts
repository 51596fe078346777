/**
 * Values that were read live, by key and version: a new version of a key takes the place of the old one, readers of the
 * same version share one read, and what was asked for longest ago goes first when there are too many.
 */
export class BoundedCache<Value> {
  readonly #slots = new Map<string, { readonly version: string; readonly value: Promise<Value> }>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  /** A failed read is not kept, nor one that found nothing: it may be there the next time. */
  async get(key: string, version: string, read: () => Promise<Value>): Promise<Value> {
    const present = this.#slots.get(key)
    const slot = present?.version === version ? present : { version, value: read() }
    this.#slots.delete(key)
    this.#slots.set(key, slot)
    if (this.#slots.size > this.#most) this.#slots.delete(this.#slots.keys().next().value ?? key)
    const forget = (): void => {
      if (this.#slots.get(key) === slot) this.#slots.delete(key)
    }
    try {
      const value = await slot.value
      if (value === undefined) forget()
      return value
    } catch (error) {
      forget()
      throw error
    }
  }

  get size(): number {
    return this.#slots.size
  }
}
