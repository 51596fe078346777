/**
 * Takes secrets out of whatever is about to be logged. Two nets: names of fields that hold secrets, and the shapes that
 * secrets have in text (PEM, DER and keystores in base64, JSON web tokens, bearer tokens, passwords in URLs).
 * A cluster's objects come in here, so every walk is bounded and no expression backtracks.
 */

const removed = '[redacted]'
const limits = { depth: 10, members: 100, searched: 65_536, shown: 8192 } as const

const secretNames = new Set(
  'data stringdata binarydata key privatekey passwd pwd pass authorization cookie setcookie credential credentials pem jwk pkcs8'.split(
    ' ',
  ),
)
const secretSuffix = /(?:password|passphrase|passwd|token|privatekey|secretkey|keydata|authorization)$/

/** True for a field whose value is never shown: `password`, `client-key-data`, `keystorePassword`, `data` … */
export const isSecretName = (name: string): boolean => {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  return secretNames.has(plain) || secretSuffix.test(plain)
}

const begin = '-----BEGIN '
const end = '-----END '

/** Cuts out PEM blocks, also ones that were cut off before or behind, or whose line ends were escaped. */
const withoutPem = (text: string): string => {
  let out = ''
  let at = 0
  let from = text.indexOf(begin)
  let to = text.indexOf(end)
  while (from >= 0 || to >= 0) {
    // An END without its BEGIN: what stands before it may be the rest of a key.
    out += from < 0 || (to >= 0 && to < from) ? '[redacted PEM]' : `${text.slice(at, from)}[redacted PEM]`
    const closing = to < 0 ? -1 : text.indexOf('-----', to + end.length)
    if (closing < 0) return out
    at = closing + 5
    // Searched for again only where it was passed, so that a text made of nothing but one of the two stays linear.
    if (from >= 0 && from < at) from = text.indexOf(begin, at)
    to = text.indexOf(end, at)
  }
  return out + text.slice(at)
}

const shapes: readonly (readonly [RegExp, string])[] = [
  // base64 of "-----BEGIN", as in Secret.data
  [/LS0tLS1CRUdJTi[\w+/=-]*/g, '[redacted PEM]'],
  // base64 of a DER SEQUENCE (keys, certificates, PKCS#12) and of the magic number of JKS
  [/(?<![\w+/-])M[A-I][\w+/-]{38,}={0,2}/g, '[redacted DER]'],
  [/(?<![\w+/])\/u3\+7Q[\w+/]{8,}={0,2}/g, '[redacted keystore]'],
  [/(?<![\w-])eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?/g, '[redacted token]'],
  [/\b(bearer\s{1,4})[^\s"',;]+/gi, `$1${removed}`],
  [/(authorization["']?\s{0,4}[:=]\s{0,4}["']?)[^"'\n,;]+/gi, `$1${removed}`],
  [/((?:pass(?:word|phrase|wd)|token|private_?key)=)[^\s&"',;]+/gi, `$1${removed}`],
  [/("(?:[\w.-]{0,40})(?:password|passphrase|token|privateKey)"\s{0,4}:\s{0,4}")(?:[^"\\]|\\.)*/gi, `$1${removed}`],
  [/(:\/\/[^\s/:@]{0,200}:)[^\s/@]+(?=@)/g, `$1${removed}`],
]

/** The text without anything that has the shape of a secret, and not longer than a log line should be. */
export const redactText = (text: string): string => {
  // Bounded twice: before matching for the work, after it for the output, so that no secret is cut out of its shape.
  const bounded = text.slice(0, limits.searched)
  const whole = bounded.includes('-----') ? withoutPem(bounded) : bounded
  const clean = shapes.reduce((rest, [shape, replacement]) => rest.replace(shape, replacement), whole)
  if (clean.length <= limits.shown && text.length <= limits.searched) return clean
  return `${clean.slice(0, limits.shown)}… [${text.length} characters]`
}

type Plain = string | number | boolean | null | undefined | Plain[] | { [name: string]: Plain }

const redactError = (error: Error, path: readonly object[]): Plain => {
  const out: Record<string, Plain> = Object.create(null)
  out.name = walk(error.name, path)
  out.message = walk(error.message, path)
  if (typeof error.stack === 'string') out.stack = walk(error.stack, path)
  if (error.cause !== undefined) out.cause = walk(error.cause, path)
  if (error instanceof AggregateError) out.errors = walk(error.errors, path)
  for (const [name, value] of Object.entries(error).slice(0, limits.members))
    if (!(name in out)) out[name] = isSecretName(name) ? removed : walk(value, path)
  return out
}

const redactEntries = (entries: readonly (readonly [string, unknown])[], path: readonly object[]): Plain => {
  const out: Record<string, Plain> = Object.create(null)
  for (const [name, value] of entries.slice(0, limits.members))
    out[redactText(name)] = isSecretName(name) && value !== undefined ? removed : walk(value, path)
  if (entries.length > limits.members) out['…'] = `${entries.length - limits.members} more`
  return out
}

const redactList = (items: readonly unknown[], path: readonly object[]): Plain => {
  const out = items.slice(0, limits.members).map((item) => walk(item, path))
  if (items.length > limits.members) out.push(`… ${items.length - limits.members} more`)
  return out
}

const redactObject = (value: object, parents: readonly object[]): Plain => {
  if (parents.includes(value)) return '[circular]'
  if (parents.length >= limits.depth) return '[too deep]'
  const path = [...parents, value]
  if (value instanceof Error) return redactError(value, path)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof URL) return redactText(value.href)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return redactList(value, path)
  if (value instanceof Set) return redactList([...value], path)
  if (value instanceof Map)
    return redactEntries(
      [...value].map(([name, member]) => [String(name), member]),
      path,
    )
  return redactEntries(Object.entries(value), path)
}

const walk = (value: unknown, path: readonly object[]): Plain => {
  switch (typeof value) {
    case 'string':
      return redactText(value)
    case 'object':
      return value === null ? null : redactObject(value, path)
    case 'number':
    case 'boolean':
    case 'undefined':
      return value
    case 'bigint':
      return String(value)
    default:
      return `[${typeof value}]`
  }
}

/**
 * A plain copy of `fields` that may be shown: no secret, no cycle, bounded in depth and width. Never throws: a value that
 * cannot be read (a getter or a proxy that throws) is replaced.
 */
export const redact = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const out: Record<string, unknown> = Object.create(null)
  for (const name of Object.keys(fields)) {
    try {
      Object.assign(out, redactEntries([[name, fields[name]]], [fields]))
    } catch {
      out[redactText(name)] = '[unreadable]'
    }
  }
  return out
}
