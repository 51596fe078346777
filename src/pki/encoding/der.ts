/**
 * DER (ITU-T X.690): an encoder that makes only canonical output, and a reader that accepts nothing else.
 * Shared by certificates, keys, PKCS#12 and JKS.
 */

export class DerError extends Error {
  override readonly name = 'DerError'
}

export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

export const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

const header = (tag: number, length: number): Uint8Array => {
  if (length < 0x80) return Uint8Array.of(tag, length)
  if (length < 0x100) return Uint8Array.of(tag, 0x81, length)
  if (length < 0x10000) return Uint8Array.of(tag, 0x82, length >> 8, length & 0xff)
  if (length < 0x1000000) return Uint8Array.of(tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff)
  throw new DerError(`a DER value of ${length} bytes is larger than anything this program writes`)
}

/** Any tag around already encoded contents. */
export const tlv = (tag: number, ...contents: readonly Uint8Array[]): Uint8Array => {
  let length = 0
  for (const part of contents) length += part.length
  return concat([header(tag, length), ...contents])
}

export const sequence = (...members: readonly Uint8Array[]): Uint8Array => tlv(Tag.sequence, ...members)

/** SET OF: members in the order of their encodings (X.690 §11.6). */
export const setOf = (...members: readonly Uint8Array[]): Uint8Array =>
  tlv(Tag.set, ...members.toSorted((a, b) => Buffer.compare(a, b)))

export const octetString = (bytes: Uint8Array): Uint8Array => tlv(Tag.octetString, bytes)

export const bitString = (bytes: Uint8Array, unusedBits = 0): Uint8Array =>
  tlv(Tag.bitString, Uint8Array.of(unusedBits), bytes)

export const nullValue: Uint8Array = Uint8Array.of(Tag.null, 0)

export const boolean = (value: boolean): Uint8Array => Uint8Array.of(Tag.boolean, 1, value ? 0xff : 0x00)

/** A non-negative INTEGER from big-endian bytes, made minimal. */
export const unsignedInteger = (bytes: Uint8Array): Uint8Array => {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1
  const minimal = bytes.length === 0 ? Uint8Array.of(0) : bytes.subarray(start)
  return (minimal[0] ?? 0) & 0x80 ? tlv(Tag.integer, Uint8Array.of(0), minimal) : tlv(Tag.integer, minimal)
}

export const integer = (value: number): Uint8Array => {
  if (!Number.isSafeInteger(value) || value < 0) throw new DerError(`${value} is not a non-negative safe integer`)
  const bytes: number[] = []
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return unsignedInteger(Uint8Array.from(bytes))
}

/** Arcs stay well inside the integers that a double holds exactly. */
const maxArc = Math.floor(Number.MAX_SAFE_INTEGER / 128)

const oidCache = new Map<string, Uint8Array>()

export const oid = (dotted: string): Uint8Array => {
  const cached = oidCache.get(dotted)
  if (cached) return cached
  if (dotted.length > 128 || !/^[0-2](\.(0|[1-9][0-9]*))+$/.test(dotted))
    throw new DerError(`"${dotted.slice(0, 128)}" is not an object identifier`)
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  if ((first < 2 && second > 39) || [second + 80, ...rest].some((arc) => arc > maxArc))
    throw new DerError(`"${dotted}" has an object identifier arc out of range`)
  const bytes: number[] = []
  for (const arc of [first * 40 + second, ...rest]) {
    const septets = [arc % 128]
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) septets.unshift((high % 128) | 0x80)
    bytes.push(...septets)
  }
  const encoded = tlv(Tag.oid, Uint8Array.from(bytes))
  if (oidCache.size < 1000) oidCache.set(dotted, encoded)
  return encoded
}

/** The octets of ASCII text; anything else would silently lose bits. */
export const ascii = (text: string): Uint8Array => {
  // oxlint-disable-next-line no-control-regex -- the whole of ASCII is the point
  if (!/^[\x00-\x7f]*$/.test(text)) throw new DerError('the text holds characters outside ASCII')
  return Buffer.from(text, 'latin1')
}

export const utf8String = (text: string): Uint8Array => tlv(Tag.utf8String, Buffer.from(text, 'utf8'))
export const printableString = (text: string): Uint8Array => tlv(Tag.printableString, ascii(text))
export const ia5String = (text: string): Uint8Array => tlv(Tag.ia5String, ascii(text))
export const bmpString = (text: string): Uint8Array => tlv(Tag.bmpString, Buffer.from(text, 'utf16le').swap16())

/** `[number]` EXPLICIT or any constructed context tag. */
export const contextConstructed = (number: number, ...contents: readonly Uint8Array[]): Uint8Array =>
  tlv(0xa0 | number, ...contents)

/** `[number]` IMPLICIT over a primitive type. */
export const contextPrimitive = (number: number, contents: Uint8Array): Uint8Array => tlv(0x80 | number, contents)

/** UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). `instant` in ms; fractions of a second are dropped. */
export const time = (instant: number): Uint8Array => {
  const digits = digitsOf(instant)
  return digits >= '1950' && digits < '2050'
    ? tlv(Tag.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : tlv(Tag.generalizedTime, Buffer.from(digits, 'latin1'))
}

/** GeneralizedTime whatever the year, for fields that know no other form. `instant` as above. */
export const generalizedTime = (instant: number): Uint8Array =>
  tlv(Tag.generalizedTime, Buffer.from(digitsOf(instant), 'latin1'))

/** `YYYYMMDDHHMMSSZ` */
const digitsOf = (instant: number): string => {
  const date = new Date(Math.floor(instant / 1000) * 1000)
  const fullYear = date.getUTCFullYear()
  if (!(fullYear >= 0 && fullYear <= 9999))
    throw new DerError('a certificate can only hold times of the years 0 to 9999')
  return `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`
}

/** One decoded element. `contents` and `encoded` are views into the input. */
export interface Element {
  readonly tag: number
  readonly contents: Uint8Array
  /** Tag, length and contents. */
  readonly encoded: Uint8Array
}

/** Makes views when they are asked for, new ones each time: most elements are looked into, and only few are taken. */
class View implements Element {
  readonly tag: number
  readonly bytes: Uint8Array
  readonly offset: number
  readonly start: number
  readonly end: number

  constructor(tag: number, bytes: Uint8Array, offset: number, start: number, end: number) {
    this.tag = tag
    this.bytes = bytes
    this.offset = offset
    this.start = start
    this.end = end
  }

  get contents(): Uint8Array {
    return this.bytes.subarray(this.start, this.end)
  }

  get encoded(): Uint8Array {
    return this.bytes.subarray(this.offset, this.end)
  }
}

/** Reads the element that starts at `offset`; what follows it is not looked at. */
export const readElement = (bytes: Uint8Array, offset = 0): Element => viewAt(bytes, offset, bytes.length)

/** The element at `offset` of what ends at `limit`. */
const viewAt = (bytes: Uint8Array, offset: number, limit: number): View => {
  if (offset + 2 > limit) throw new DerError('the DER value ends before its length')
  const tag = bytes[offset] ?? 0
  const first = bytes[offset + 1] ?? 0
  if ((tag & 0x1f) === 0x1f) throw new DerError('DER tags above 30 are not used here')
  let length = first
  let start = offset + 2
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0) throw new DerError('indefinite length is BER, not DER')
    if (count > 4) throw new DerError('the DER length has more than four bytes')
    if (start + count > limit) throw new DerError('the DER value ends inside its length')
    length = 0
    for (let i = 0; i < count; i += 1) length = length * 256 + (bytes[start + i] ?? 0)
    start += count
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('the DER length is not minimal')
  }
  const end = start + length
  if (end > limit) throw new DerError('the DER value is cut off')
  return new View(tag, bytes, offset, start, end)
}

/** Reads exactly one element that fills `bytes`. */
export const readOnly = (bytes: Uint8Array, expectedTag?: number): Element => {
  const element = viewAt(bytes, 0, bytes.length)
  if (element.end !== bytes.length) throw new DerError('bytes follow the DER value')
  if (expectedTag !== undefined) expectTag(element, expectedTag)
  return element
}

export const expectTag = (element: Element, tag: number): Element => {
  if (element.tag !== tag)
    throw new DerError(`expected DER tag 0x${tag.toString(16)}, found 0x${element.tag.toString(16)}`)
  return element
}

/** The members of a constructed element. */
export const children = (element: Element): Element[] => {
  const members: Element[] = []
  const { bytes, start, end } = element instanceof View ? element : whole(element.contents)
  for (let at = start; at < end;) {
    const member = viewAt(bytes, at, end)
    members.push(member)
    at = member.end
  }
  return members
}

const whole = (bytes: Uint8Array) => ({ bytes, start: 0, end: bytes.length })

export const readOid = (element: Element): string => {
  expectTag(element, Tag.oid)
  const arcs: number[] = []
  let arc = 0
  let open = false
  for (const byte of element.contents) {
    if (!open && byte === 0x80) throw new DerError('an object identifier arc is not minimal')
    arc = arc * 128 + (byte & 0x7f)
    open = (byte & 0x80) !== 0
    if (arc > maxArc) throw new DerError('an object identifier arc is too large')
    if (!open) {
      arcs.push(arc)
      arc = 0
    }
  }
  const [head, ...rest] = arcs
  if (head === undefined || open) throw new DerError('the object identifier is cut off')
  const first = Math.min(Math.floor(head / 40), 2)
  return [first, head - first * 40, ...rest].join('.')
}

/** INTEGER contents as a number; for versions, iteration counts, path lengths. */
export const readSmallInteger = (element: Element): number => {
  expectTag(element, Tag.integer)
  const bytes = readUnsignedInteger(element)
  if (bytes.length > 6) throw new DerError('the integer is too large')
  return bytes.reduce((value, byte) => value * 256 + byte, 0)
}

/** The magnitude of a non-negative INTEGER, without the sign octet; zero is one zero octet. */
export const readUnsignedInteger = (element: Element): Uint8Array => {
  const { contents } = expectTag(element, Tag.integer)
  const [first, second] = contents
  if (first === undefined || first & 0x80) throw new DerError('expected a non-negative integer')
  if (first !== 0 || second === undefined) return contents
  if ((second & 0x80) === 0) throw new DerError('the integer is not minimal')
  return contents.subarray(1)
}

export const readBoolean = (element: Element): boolean => {
  const { contents } = expectTag(element, Tag.boolean)
  if (contents.length !== 1 || (contents[0] !== 0 && contents[0] !== 0xff)) throw new DerError('the boolean is not DER')
  return contents[0] === 0xff
}

/** The octets of a BIT STRING that is a whole number of octets: keys and signatures. */
export const readBitString = (element: Element): Uint8Array => {
  const { contents } = expectTag(element, Tag.bitString)
  if (contents[0] !== 0) throw new DerError('the bit string is not a whole number of octets')
  return contents.subarray(1)
}

/** UTCTime (years 1950 to 2049) or GeneralizedTime in the form that RFC 5280 §4.1.2.5 allows; ms since the epoch. */
export const readTime = (element: Element): number => {
  const utc = element.tag === Tag.utcTime
  if (!utc) expectTag(element, Tag.generalizedTime)
  const { contents } = element
  const digits = utc ? 12 : 14
  if (contents.length !== digits + 1 || contents[digits] !== 0x5a)
    throw new DerError('the time is not in the form of RFC 5280')
  const pair = (at: number): number => decimal(contents[at]) * 10 + decimal(contents[at + 1])
  const start = pair(0)
  const year = utc ? start + (start >= 50 ? 1900 : 2000) : start * 100 + pair(2)
  const [month, day] = [pair(digits - 10), pair(digits - 8)]
  const [hour, minute, second] = [pair(digits - 6), pair(digits - 4), pair(digits - 2)]
  // Date.UTC takes years below 100 for ones of the last century: it is asked about the same day a calendar's round later.
  const instant = Date.UTC(year + 400, month - 1, day, hour, minute, second) - calendarRound
  const found = new Date(instant)
  if (found.getUTCDate() !== day || found.getUTCMonth() !== month - 1 || hour > 23 || minute > 59 || second > 59)
    throw new DerError('the time does not exist')
  return instant
}

/** 400 years, ms. */
const calendarRound = 146_097 * 24 * 3600 * 1000

const decimal = (byte = 0): number => {
  if (byte < 0x30 || byte > 0x39) throw new DerError('the time is not in the form of RFC 5280')
  return byte - 0x30
}
