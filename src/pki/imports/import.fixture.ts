/** CAs that openssl makes, for the tests of what is brought along. Not imported by the program. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openssl } from '../testing.ts'

export interface MadeAuthority {
  readonly certificate: string
  readonly key: string
}

export interface AuthorityShape {
  readonly subject?: string
  /** Arguments of `openssl genpkey`. */
  readonly key?: readonly string[]
  /** PEM of a key that exists. */
  readonly reuse?: string
  readonly extensions?: readonly string[]
  readonly signedBy?: MadeAuthority
  /** More arguments of `openssl req -x509` or `openssl x509 -req`. */
  readonly arguments?: readonly string[]
  readonly days?: number
  /** Lines of the section of the subject, instead of `subject`. */
  readonly name?: readonly string[]
  /** `string_mask` of openssl: which string types names are made of. */
  readonly mask?: string
}

export const ecKey = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']
export const rsaKey = (bits: number, ...more: readonly string[]): string[] => [
  '-algorithm',
  'RSA',
  '-pkeyopt',
  `rsa_keygen_bits:${bits}`,
  ...more.flatMap((option) => ['-pkeyopt', option]),
]

export const usual = [
  'basicConstraints = critical,CA:TRUE',
  'keyUsage = critical,keyCertSign,cRLSign',
  'subjectKeyIdentifier = hash',
]
const below = [...usual, 'authorityKeyIdentifier = keyid']

/** What `openssl req` and `openssl x509` make of it. */
export const makeAuthority = (shape: AuthorityShape = {}): MadeAuthority => {
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-import-'))
  try {
    return make(shape, (name) => join(folder, name))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const make = (shape: AuthorityShape, file: (name: string) => string): MadeAuthority => {
  const { signedBy, subject = '/O=Acme/CN=Acme CA' } = shape
  // A second later than the CA above, it must not end a second later, too.
  const { days = signedBy === undefined ? 3650 : 3600 } = shape
  const key = shape.reuse ?? openssl(['genpkey', ...(shape.key ?? ecKey), '-quiet'])
  writeFileSync(file('key'), key)
  const extensions = shape.extensions ?? (signedBy === undefined ? usual : below)
  const prompt = shape.name === undefined ? [] : ['prompt = no', 'utf8 = yes']
  const sections = [
    '[req]',
    'distinguished_name = dn',
    ...prompt,
    '[dn]',
    ...(shape.name ?? []),
    '[ext]',
    ...extensions,
  ]
  writeFileSync(file('config'), `${sections.join('\n')}\n`)
  const request = ['req', '-new', '-config', file('config'), '-key', file('key')]
  const named = shape.name === undefined ? ['-subj', subject] : []
  const validity = ['-days', String(days), ...(shape.arguments ?? [])]
  if (signedBy === undefined && extensions.length > 0) {
    openssl([...request, ...named, '-x509', '-extensions', 'ext', ...validity, '-out', file('crt')])
  } else if (signedBy === undefined) {
    openssl([...request, ...named, '-out', file('csr')])
    openssl(['x509', '-req', '-in', file('csr'), '-signkey', file('key'), ...validity, '-out', file('crt')])
  } else {
    writeFileSync(file('above.crt'), signedBy.certificate)
    writeFileSync(file('above.key'), signedBy.key)
    openssl([...request, ...named, '-out', file('csr')])
    const above = [
      '-CA',
      file('above.crt'),
      '-CAkey',
      file('above.key'),
      '-CAcreateserial',
      '-CAserial',
      file('serial'),
    ]
    openssl([
      'x509',
      '-req',
      '-in',
      file('csr'),
      ...above,
      '-extfile',
      file('config'),
      '-extensions',
      'ext',
      ...validity,
      '-out',
      file('crt'),
    ])
  }
  return { certificate: readFileSync(file('crt'), 'utf8'), key }
}
