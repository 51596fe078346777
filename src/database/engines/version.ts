/** Versions of databases: numbers with dots. */

export type Version = readonly number[]

const shape = /^[0-9]{1,5}(\.[0-9]{1,5}){0,3}$/

/** undefined for what is no version. */
export const parseVersion = (text: string): Version | undefined =>
  shape.test(text) ? text.split('.').map(Number) : undefined

/** Compares number by number; a part that is not given counts as the latest of its line: `8.0` has everything of 8.0.16. */
export const isAtLeast = (version: Version, wanted: string): boolean => {
  for (const [index, part] of (parseVersion(wanted) ?? []).entries()) {
    const own = version[index]
    if (own === undefined || own > part) return true
    if (own < part) return false
  }
  return true
}

/** Whether `version` is of a line after `newest`, compared as far as `newest` is given. */
export const isBeyond = (version: Version, newest: string): boolean => {
  for (const [index, part] of (parseVersion(newest) ?? []).entries()) {
    const own = version[index] ?? 0
    if (own !== part) return own > part
  }
  return false
}
