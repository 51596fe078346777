/** IP addresses as text and as octets (RFC 4291 §2.2, RFC 5952). */

/** 4 or 16 octets, or undefined where the text is no address. */
export const addressToBytes = (text: string): Uint8Array | undefined =>
  text.length > 45 ? undefined : text.includes(':') ? version6(text) : version4(text)

export const isAddress = (text: string): boolean => addressToBytes(text) !== undefined

const version4 = (text: string): Uint8Array | undefined => {
  const parts = text.split('.')
  // Leading zeros are refused: some systems read them as octal.
  if (parts.length !== 4 || parts.some((part) => !/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255))
    return undefined
  return Uint8Array.from(parts, Number)
}

const version6 = (text: string): Uint8Array | undefined => {
  const [left = '', right, ...more] = text.split('::')
  const head = groups(left, right === undefined)
  const tail = right === undefined ? [] : groups(right, true)
  if (more.length > 0 || head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (right === undefined ? missing !== 0 : missing < 1) return undefined
  const all = [...head, ...Array.from({ length: missing }, () => 0), ...tail]
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

/** The 16-bit groups of one side of the `::`; dotted IPv4 is allowed at the very end. */
const groups = (text: string, last: boolean): number[] | undefined => {
  if (text === '') return []
  const parts = text.split(':')
  const values: number[] = []
  for (const [index, part] of parts.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
      values.push(Number.parseInt(part, 16))
      continue
    }
    const [a, b, c, d] = (last && index === parts.length - 1 && version4(part)) || []
    if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined
    values.push(a * 256 + b, c * 256 + d)
  }
  return values
}

const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')

/** Canonical text of 4 or 16 octets: lower case, the longest run of two or more zero groups as `::`, the first of equals. */
export const bytesToAddress = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return bytes.join('.')
  const all = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0))
  const mapped = all.slice(0, 5).every((group) => group === 0) && all[5] === 0xffff
  if (mapped) return `::ffff:${bytes.subarray(12).join('.')}`
  const { start, length } = longestZeroRun(all)
  return length < 2 ? hex(all) : `${hex(all.slice(0, start))}::${hex(all.slice(start + length))}`
}

const longestZeroRun = (all: readonly number[]): { start: number; length: number } => {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < all.length; start += 1) {
    let length = 0
    while (all[start + length] === 0) length += 1
    if (length > best.length) best = { start, length }
    start += length
  }
  return best
}
