/**
 * The file of a backup (docs/backup.md): two lines that anybody may read, then everything else under a passphrase.
 *
 *     dbtls-backup 1
 *     {"cipher":"aes-256-gcm","compression":"gzip","createdAt":…,"kdf":{…},"nonce":…,"check":…}
 *     ciphertext and tag
 *
 * scrypt (RFC 7914) makes 64 octets from the passphrase in NFC: the first 32 are the key, an HMAC under the others lets a
 * wrong passphrase be told from a damaged file. Both lines are authenticated with the contents (AES-GCM, SP 800-38D).
 */

import { createCipheriv, createDecipheriv, createHmac, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { z } from 'zod'

export class BackupError extends Error {
  override readonly name = 'BackupError'
}

const magic = 'dbtls-backup '
const version = '1'
const tagOctets = 16
/** 128 MiB and about half a second: RFC 7914's N, r and p. */
const cost = { N: 131_072, r: 8, p: 1 } as const
/** What a header may ask of the machine that opens it, bytes. */
const mostMemory = 1024 * 1024 * 1024
/** Of the contents when unpacked: a million ledger entries, and no more for a file that would fill the memory. */
const mostOctets = 4 * 1024 * 1024 * 1024

const base64 = (octets: number) => z.string().refine((text) => Buffer.from(text, 'base64').length === octets)

const headerForm = z.object({
  cipher: z.literal('aes-256-gcm'),
  compression: z.literal('gzip'),
  createdAt: z.string().max(40),
  kdf: z.object({
    name: z.literal('scrypt'),
    N: z
      .int()
      .min(2)
      .max(2 ** 20),
    r: z.int().min(1).max(32),
    p: z.int().min(1).max(16),
    salt: base64(32),
  }),
  nonce: base64(12),
  check: base64(32),
})
type Header = z.output<typeof headerForm>

/** `createdAt` in RFC 3339. Rejects with BackupError where the contents are too large. */
export const sealBackup = async (
  contents: unknown,
  passphrase: string,
  createdAt: string,
  random: (size: number) => Uint8Array,
): Promise<Uint8Array> => {
  const salt = random(32)
  const nonce = random(12)
  const kdf = { name: 'scrypt', ...cost, salt: toBase64(salt) } as const
  const { key, check } = await derive(passphrase, kdf)
  const header: Header = {
    cipher: 'aes-256-gcm',
    compression: 'gzip',
    createdAt,
    kdf,
    nonce: toBase64(nonce),
    check: toBase64(check),
  }
  const head = Buffer.from(`${magic}${version}\n${JSON.stringify(header)}\n`)
  const packed = await promisify(gzip)(Buffer.from(JSON.stringify(contents)))
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagOctets }).setAAD(head)
  return Buffer.concat([head, cipher.update(packed), cipher.final(), cipher.getAuthTag()])
}

/** The contents as they were given. Rejects with BackupError: no backup, another version, wrong passphrase, damaged. */
export const openBackup = async (file: Uint8Array, passphrase: string): Promise<unknown> => {
  const { header, head, body } = split(Buffer.from(file.buffer, file.byteOffset, file.byteLength))
  const { key, check } = await derive(passphrase, header.kdf)
  if (!timingSafeEqual(check, Buffer.from(header.check, 'base64')))
    throw new BackupError('the passphrase does not open it')
  const nonce = Buffer.from(header.nonce, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagOctets }).setAAD(head)
  decipher.setAuthTag(body.subarray(body.length - tagOctets))
  try {
    const packed = Buffer.concat([decipher.update(body.subarray(0, body.length - tagOctets)), decipher.final()])
    return JSON.parse(String(await promisify(gunzip)(packed, { maxOutputLength: mostOctets })))
  } catch (error) {
    throw new BackupError('it is damaged: its contents are not those that were written', { cause: error })
  }
}

const split = (file: Buffer): { header: Header; head: Buffer; body: Buffer } => {
  const first = file.indexOf('\n')
  const line = file.toString('latin1', 0, Math.min(Math.max(first, 0), 64))
  if (!line.startsWith(magic)) throw new BackupError('it is not a backup of dbtls')
  if (line !== magic + version)
    throw new BackupError(
      `it is a backup of format ${line.slice(magic.length)}, and this version of dbtls reads ${version}`,
    )
  const second = file.indexOf('\n', first + 1)
  if (second < 0 || file.length - second - 1 < tagOctets) throw new BackupError('it is damaged: it ends too soon')
  return {
    header: readHeader(file.toString('utf8', first + 1, second)),
    head: file.subarray(0, second + 1),
    body: file.subarray(second + 1),
  }
}

const readHeader = (text: string): Header => {
  const parsed = ((): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      return undefined
    }
  })()
  const { data } = headerForm.safeParse(parsed)
  if (data === undefined || memoryOf(data.kdf) > mostMemory)
    throw new BackupError('it is damaged: its second line is not that of a backup')
  return data
}

const memoryOf = ({ N, r, p }: { N: number; r: number; p: number }): number => 128 * r * (N + p + 2)

const derive = async (
  passphrase: string,
  { N, r, p, salt }: Header['kdf'],
): Promise<{ readonly key: Uint8Array; readonly check: Uint8Array }> => {
  const options = { N, r, p, maxmem: memoryOf({ N, r, p }) + 1024 * 1024 }
  // Costs that it cannot bear are thrown at once, all else is told later.
  const octets = await new Promise<Buffer>((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), Buffer.from(salt, 'base64'), 64, options, (error, derived) => {
      if (error === null) resolve(derived)
      else reject(error)
    })
  }).catch((cause: unknown) => {
    throw new BackupError('it is damaged: its second line is not that of a backup', { cause })
  })
  const check = createHmac('sha256', octets.subarray(32)).update('dbtls-backup passphrase').digest()
  return { key: octets.subarray(0, 32), check }
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
