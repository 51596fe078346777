/** Reads the members of an object that nobody has validated: what is of another type than cert-manager takes is told, and left out. */

import { own } from './fields.ts'
import type { Note } from './notes.ts'

export class Reader {
  readonly #about: string
  readonly #object: unknown
  readonly notes: Note[] = []

  constructor(about: string, object: unknown) {
    this.#about = about
    this.#object = object
  }

  note(field: string, message: string): void {
    this.notes.push({ about: this.#about, field, message })
  }

  #at(path: string): unknown {
    const value = own(this.#object, ...path.split('.'))
    return value === null ? undefined : value
  }

  has(path: string): boolean {
    return this.#at(path) !== undefined
  }

  /** Undefined for the empty text, too, which is how Go's clients leave out. */
  text(path: string): string | undefined {
    const value = this.#at(path)
    if (typeof value === 'string') return value === '' ? undefined : value
    if (value !== undefined) this.#wrong(path, 'a text')
    return undefined
  }

  texts(path: string): readonly string[] {
    const value = this.#at(path)
    if (Array.isArray(value) && value.every((one): one is string => typeof one === 'string'))
      return value.filter((one) => one !== '')
    if (value !== undefined) this.#wrong(path, 'a list of texts')
    return []
  }

  flag(path: string): boolean {
    const value = this.#at(path)
    if (value !== undefined && typeof value !== 'boolean') this.#wrong(path, 'true or false')
    return value === true
  }

  number(path: string): number | undefined {
    const value = this.#at(path)
    if (Number.isSafeInteger(value)) return value as number
    if (value !== undefined) this.#wrong(path, 'a whole number')
    return undefined
  }

  /** One of `values`, which are those of cert-manager. */
  choice<T extends string>(path: string, values: readonly T[]): T | undefined {
    const value = this.text(path)
    if (value === undefined) return undefined
    const found = values.find((one) => one === value)
    if (found === undefined) this.note(path, `${JSON.stringify(value)} is none of ${values.join(', ')}; left out`)
    return found
  }

  /** Readers of the objects of a list. */
  list(path: string): readonly Reader[] {
    const value = this.#at(path)
    if (value !== undefined && !Array.isArray(value)) this.#wrong(path, 'a list')
    return Array.isArray(value) ? value.map((one) => new Reader(this.#about, one)) : []
  }

  textMap(path: string): Record<string, string> {
    const value = this.#at(path)
    if (value === undefined) return {}
    if (typeof value !== 'object' || Array.isArray(value)) {
      this.#wrong(path, 'a map of texts')
      return {}
    }
    const members = Object.entries(value as object)
    const wrong = members.filter(([, one]) => typeof one !== 'string').map(([name]) => name)
    if (wrong.length > 0) this.note(path, `${wrong.join(', ')}: not a text, left out`)
    return Object.fromEntries(members.filter((one): one is [string, string] => typeof one[1] === 'string'))
  }

  #wrong(path: string, what: string): void {
    this.note(path, `is not ${what}, and is left out`)
  }
}
