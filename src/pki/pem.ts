/** PEM (RFC 7468): written strictly, read with tolerance for CRLF, a byte order mark and text around the blocks. */

export class PemError extends Error {
  override readonly name = 'PemError'
}

export interface PemBlock {
  /** What stands after BEGIN: `CERTIFICATE`, `PRIVATE KEY`, … */
  readonly label: string
  readonly der: Uint8Array
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
export const decodePem = (text: string): PemBlock[] => {
  if (text.length > maxCharacters) throw new PemError(`the PEM text is larger than ${maxCharacters} characters`)
  const blocks: PemBlock[] = []
  for (let at = text.indexOf(begin); at >= 0;) {
    if (at > 0 && !'\n\r\uFEFF'.includes(text.charAt(at - 1))) {
      at = text.indexOf(begin, at + begin.length)
      continue
    }
    const { block, end } = readBlock(text, at, blocks.length + 1)
    blocks.push(block)
    at = text.indexOf(begin, end)
  }
  return blocks
}

const labelLine = /-----BEGIN ([A-Z0-9]+(?: [A-Z0-9]+)*)-----[ \t]*\r?\n/y

const readBlock = (text: string, at: number, number: number): { block: PemBlock; end: number } => {
  // The label is matched in a short slice, so that a hostile line cannot make the search long.
  const line = text.slice(at, at + 128)
  labelLine.lastIndex = 0
  const [whole, label] = labelLine.exec(line) ?? []
  if (whole === undefined || label === undefined) throw new PemError(`PEM block ${number} has a broken BEGIN line`)
  const footer = `-----END ${label}-----`
  const end = text.indexOf(footer, at + whole.length)
  if (end < 0) throw new PemError(`PEM block ${number} (${label}) has no END line`)
  const body = text.slice(at + whole.length, end)
  if (body.includes(':'))
    throw new PemError(
      `PEM block ${number} (${label}) has headers, as keys in the traditional encrypted form do; convert it with "openssl pkcs8 -topk8"`,
    )
  const base64 = body.replace(/[ \t\r\n]+/g, '')
  const der = Buffer.from(base64, 'base64')
  if (base64 === '' || der.toString('base64') !== base64)
    throw new PemError(`PEM block ${number} (${label}) is not base64`)
  return { block: { label, der }, end: end + footer.length }
}

/** DER of every certificate in the text, in order; other blocks are passed over. */
export const certificatesOf = (text: string): Uint8Array[] =>
  decodePem(text).flatMap(({ label, der }) => {
    if (label === 'TRUSTED CERTIFICATE')
      throw new PemError('TRUSTED CERTIFICATE is a form of openssl alone; convert it with "openssl x509 -in FILE"')
    return label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' ? [der] : []
  })
