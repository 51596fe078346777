/** The small files beside `index.txt`: `serial`, `crlnumber`, `index.txt.attr`, and an `openssl.cnf` that ties them together. Pure. */

import { IndexError, maxSerialOctets } from './index-file.ts'

/** Upper-case hex with an even number of digits and an LF: the form of `serial` and `crlnumber`. */
export const formatNumberFile = (next: bigint): string => `${evenHex(next)}\n`

export const evenHex = (value: bigint): string => {
  const digits = value.toString(16).toUpperCase()
  return digits.length % 2 === 0 ? digits : `0${digits}`
}

/** The number that comes next. Throws IndexError. */
export const parseNumberFile = (name: string, text: string): bigint => {
  const digits = text.trim()
  if (!/^[0-9A-Fa-f]+$/.test(digits) || digits.length > 2 * maxSerialOctets + 2)
    throw new IndexError(`${name} does not hold one hex number of at most ${maxSerialOctets} octets`)
  return BigInt(`0x${digits}`)
}

export const formatAttributes = (uniqueSubject: boolean): string => `unique_subject = ${uniqueSubject ? 'yes' : 'no'}\n`

/** Undefined where the file does not say, or not in a word that openssl's parse_yesno knows by its first letter. */
export const parseAttributes = (text: string): { readonly uniqueSubject: boolean | undefined } => {
  const [, letter = ''] = /^[ \t]*unique_subject[ \t]*=[ \t]*(\S)/m.exec(text) ?? []
  if (/[yYtT1]/.test(letter)) return { uniqueSubject: true }
  return { uniqueSubject: /[nNfF0]/.test(letter) ? false : undefined }
}

/** In the order in which openssl rebuilds a subject from its policy. */
const policyNames = [
  ['countries', 'countryName'],
  ['stateOrProvinces', 'stateOrProvinceName'],
  ['localities', 'localityName'],
  ['organizations', 'organizationName'],
  ['organizationalUnits', 'organizationalUnitName'],
  ['commonName', 'commonName'],
  ['emailAddress', 'emailAddress'],
] as const

export type PolicyFields = {
  readonly [field in (typeof policyNames)[number][0]]?: 'Match' | 'Supplied' | 'Optional' | undefined
}

/** Everything optional: what `policy_anything` of openssl's own openssl.cnf says, with a name required. */
const anything: PolicyFields = {
  countries: 'Optional',
  stateOrProvinces: 'Optional',
  localities: 'Optional',
  organizations: 'Optional',
  organizationalUnits: 'Optional',
  commonName: 'Supplied',
  emailAddress: 'Optional',
}

export interface ConfigurationInit {
  readonly policy: PolicyFields | undefined
  /** Whole days. */
  readonly crlDays: number
  readonly days: number
}

/** With it, `openssl ca -config openssl.cnf` goes on in the folder. */
export const formatConfiguration = ({ policy = anything, crlDays, days }: ConfigurationInit): string => {
  const lines = policyNames.flatMap(([field, name]) => {
    const word = policy[field]
    return word === undefined ? [] : [`${name.padEnd(22)} = ${word.toLowerCase()}`]
  })
  return `${[
    '# openssl ca -config openssl.cnf, from within this folder',
    '[ ca ]',
    'default_ca       = authority',
    '',
    '[ authority ]',
    'dir              = .',
    'database         = $dir/index.txt',
    'new_certs_dir    = $dir/newcerts',
    'certificate      = $dir/cacert.pem',
    'private_key      = $dir/private/cakey.pem',
    'serial           = $dir/serial',
    'crlnumber        = $dir/crlnumber',
    'default_md       = sha256',
    `default_days     = ${days}`,
    `default_crl_days = ${crlDays}`,
    'policy           = policy',
    'x509_extensions  = leaf',
    'crl_extensions   = list',
    'copy_extensions  = copy',
    '',
    '[ policy ]',
    ...lines,
    '',
    '[ leaf ]',
    'basicConstraints       = critical, CA:FALSE',
    'keyUsage               = critical, digitalSignature',
    'subjectKeyIdentifier   = hash',
    'authorityKeyIdentifier = keyid:always',
    '',
    '[ list ]',
    'authorityKeyIdentifier = keyid:always',
  ].join('\n')}\n`
}
