/** PEM (RFC 7468): written strictly, read with tolerance for CRLF, a byte order mark and text around the blocks. */

export class PemError extends Error {
  override readonly name = 'PemError'
}

export interface PemBlock {
  /** What stands after BEGIN: `CERTIFICATE`, `PRIVATE KEY`, … */
  readonly label: string
  readonly der: Uint8Array
  /** RFC 1421 headers, which keys in the traditional encrypted form carry; only where the reader asks for them. */
  readonly headers?: ReadonlyMap<string, string>
}

export interface PemOptions {
  /** Reads blocks with headers, too; otherwise they are refused, because whoever ignores them takes ciphertext for a key. */
  readonly headers?: boolean
}

/** A Secret holds at most 1 MiB, the largest trust bundles of cloud providers 0.3 MB. */
const maxCharacters = 4 * 1024 * 1024

/** One block with lines of 64 characters and a newline at the end. */
export const encodePem = (label: string, der: Uint8Array): string => {
  if (!/^[A-Z0-9]+( [A-Z0-9]+)*$/.test(label))
    throw new PemError('a PEM label is made of capital letters, digits and spaces')
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.map((line) => `${line}\n`).join('')}-----END ${label}-----\n`
}

const begin = '-----BEGIN '

/** Every block of the text, in order; none is not an error. Throws PemError at the first broken one. Linear in the text. */
export const decodePem = (text: string, options: PemOptions = {}): PemBlock[] => {
  if (text.length > maxCharacters) throw new PemError(`the PEM text is larger than ${maxCharacters} characters`)
  const blocks: PemBlock[] = []
  for (let at = text.indexOf(begin); at >= 0;) {
    if (at > 0 && !'\n\r\uFEFF'.includes(text.charAt(at - 1))) {
      at = text.indexOf(begin, at + begin.length)
      continue
    }
    const { block, end } = readBlock(text, at, blocks.length + 1, options)
    blocks.push(block)
    at = text.indexOf(begin, end)
  }
  return blocks
}

const labelLine = /-----BEGIN ([A-Z0-9]+(?: [A-Z0-9]+)*)-----[ \t]*\r?\n/y

const readBlock = (text: string, at: number, number: number, options: PemOptions): { block: PemBlock; end: number } => {
  // The label is matched in a short slice, so that a hostile line cannot make the search long.
  const line = text.slice(at, at + 128)
  labelLine.lastIndex = 0
  const [whole, label] = labelLine.exec(line) ?? []
  if (whole === undefined || label === undefined) throw new PemError(`PEM block ${number} has a broken BEGIN line`)
  const footer = `-----END ${label}-----`
  const end = text.indexOf(footer, at + whole.length)
  if (end < 0) throw new PemError(`PEM block ${number} (${label}) has no END line`)
  const encapsulated = text.slice(at + whole.length, end)
  const hasHeaders = encapsulated.includes(':')
  if (hasHeaders && options.headers !== true)
    throw new PemError(
      `PEM block ${number} (${label}) has headers, as keys in the traditional encrypted form do; convert it with "openssl pkcs8 -topk8"`,
    )
  const { headers, body } = hasHeaders ? splitHeaders(encapsulated, number, label) : { body: encapsulated }
  const base64 = body.replace(/[ \t\r\n]+/g, '')
  const der = Buffer.from(base64, 'base64')
  if (base64 === '' || der.toString('base64') !== base64)
    throw new PemError(`PEM block ${number} (${label}) is not base64`)
  return { block: { label, der, ...(headers === undefined ? {} : { headers }) }, end: end + footer.length }
}

/** Headers end at the first empty line (RFC 1421 §4.4). */
const splitHeaders = (
  encapsulated: string,
  number: number,
  label: string,
): { readonly headers: ReadonlyMap<string, string>; readonly body: string } => {
  const lines = encapsulated.split(/\r?\n/)
  const empty = lines.findIndex((line) => line.trim() === '')
  const pairs = lines.slice(0, empty).map((line) => /^([!-9;-~]+):[ \t]*(.*)$/.exec(line.trimEnd()))
  if (empty < 1 || pairs.includes(null))
    throw new PemError(`PEM block ${number} (${label}) has headers that cannot be read`)
  const headers = new Map(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']))
  return { headers, body: lines.slice(empty).join('\n') }
}

/** One block for each, in order. */
export const encodeCertificates = (ders: readonly Uint8Array[]): string =>
  ders.map((der) => encodePem('CERTIFICATE', der)).join('')

/** DER of every certificate in the text, in order; other blocks are passed over. */
export const certificatesOf = (text: string): Uint8Array[] =>
  decodePem(text).flatMap(({ label, der }) => {
    if (label === 'TRUSTED CERTIFICATE')
      throw new PemError('TRUSTED CERTIFICATE is a form of openssl alone; convert it with "openssl x509 -in FILE"')
    return label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' ? [der] : []
  })
