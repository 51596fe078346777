/** Revocation lists that the program never makes, and revoked leaves; a part of bad-samples.ts. */
import { boolean, integer, octetString, sequence, time, tlv } from '../../src/pki/encoding/der.ts'
import type { RevocationListPlan } from '../../src/pki/revocation/revocation-list.ts'
import { type BadSample, leafUnder } from './bad-sample.ts'
import {
  adding,
  critical,
  day,
  type Forgery,
  forgeList,
  makeAuthority,
  makeList,
  now,
  replacing,
  tampered,
  without,
} from './forge.ts'
import { type Sample, serialOf } from './samples.ts'

const number = '2.5.29.20'
const authorityKeyId = '2.5.29.35'

const list =
  (changes: Partial<RevocationListPlan>, forgery: Forgery): BadSample['make'] =>
  async () => {
    const authority = await makeAuthority()
    return { ...(await leafUnder(authority)), lists: [await forgeList(authority, changes, forgery)] }
  }

/** Lists the leaf itself. */
const listed = async (reason: 'keyCompromise' | 'certificateHold'): Promise<Omit<Sample, 'name'>> => {
  const authority = await makeAuthority()
  const sample = await leafUnder(authority)
  const serialNumber = serialOf(sample.chain[0] ?? new Uint8Array())
  return {
    ...sample,
    lists: [await makeList(authority, { revoked: [{ serialNumber, revokedAt: now - day, reason }] })],
  }
}

const entry = { serialNumber: '0F', revokedAt: now - day }
/** Version, algorithm, issuer, this update, next update, and the entries where there are any. */
const nextUpdate = 4
const entries = 5

const entryWith = (extension: Uint8Array): Uint8Array =>
  sequence(sequence(integer(15), time(now - day), sequence(extension)))

export const badLists: readonly BadSample[] = [
  { name: 'revoked leaf', foundBy: 'openssl gnutls nss java go python own', make: () => listed('keyCompromise') },
  { name: 'leaf on hold', foundBy: 'openssl gnutls nss java go python own', make: () => listed('certificateHold') },
  { name: 'list without a number', foundBy: 'zlint pkilint own', make: list({}, without(number)) },
  { name: 'list with a critical number', foundBy: 'openssl java pkilint', make: list({}, critical(number, true)) },
  { name: 'list without an AKI', foundBy: 'zlint pkilint own', make: list({}, without(authorityKeyId)) },
  {
    name: 'list without a next update',
    foundBy: 'java go python zlint pkilint own',
    make: list({}, (fields) => fields.toSpliced(nextUpdate, 1)),
  },
  {
    name: 'list that is out of date',
    foundBy: 'openssl gnutls go python own',
    make: list({}, replacing(nextUpdate, time(now - 30_000))),
  },
  {
    name: 'list with an empty list of entries',
    foundBy: 'zlint pkilint own',
    make: list({}, (fields) => fields.toSpliced(entries, 0, sequence())),
  },
  {
    name: 'list that writes unspecified out',
    foundBy: 'zlint',
    make: list(
      { revoked: [entry] },
      replacing(
        entries,
        entryWith(sequence(Uint8Array.of(6, 3, 0x55, 0x1d, 0x15), octetString(tlv(10, Uint8Array.of(0))))),
      ),
    ),
  },
  {
    name: 'list with an unknown critical extension of an entry',
    foundBy: 'openssl nss own',
    make: list(
      { revoked: [entry] },
      replacing(entries, entryWith(sequence(Uint8Array.of(6, 3, 0x2a, 3, 4), boolean(true), octetString(integer(1))))),
    ),
  },
  {
    name: 'tampered list',
    foundBy: 'openssl gnutls nss java go python own',
    make: async () => {
      const authority = await makeAuthority()
      return { ...(await leafUnder(authority)), lists: [tampered(await makeList(authority))] }
    },
  },
  {
    name: 'list signed by another key',
    foundBy: 'openssl gnutls nss java go python own',
    make: async () => {
      const authority = await makeAuthority()
      const other = await makeAuthority({ subject: authority.signer.subject })
      return { ...(await leafUnder(authority)), lists: [await makeList(other)] }
    },
  },
  {
    name: 'list of a CA without cRLSign',
    foundBy: 'openssl gnutls nss go own',
    make: async () => {
      const authority = await makeAuthority({ forged: keyUsageOf(0x04) })
      return { ...(await leafUnder(authority)), lists: [await makeList(authority)] }
    },
  },
]

/** keyCertSign is 0x04, cRLSign 0x02. */
function keyUsageOf(bits: number): Forgery {
  return (fields) =>
    adding({ oid: '2.5.29.15', critical: true, value: Uint8Array.of(3, 2, 2, bits) })(without('2.5.29.15')(fields))
}
