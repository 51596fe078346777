/** The bytes of a trust target: what an authority is trusted by, read and held against what it reports. */

import type { Keyring } from '../authority/keyring.ts'
import { trustHash } from '../authority/trust.ts'
import { ApiError } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import { contents } from '../material/content-table.ts'
import { encodeContents } from '../material/contents.ts'
import { readElement } from '../pki/encoding/der.ts'
import { parseRevocationList } from '../pki/revocation/revocation-list.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { listNumberOf } from '../resources/crl-number.ts'
import { NotReady, Retryable } from '../runtime/errors.ts'
import { settings, storePassword, type Target } from './wanted.ts'

/** DER of the authority's revocation list, or undefined while there is none. */
export type ReadRevocationList = (
  authority: CertificateAuthority,
  signal: AbortSignal,
) => Promise<Uint8Array | undefined>

export interface Sources {
  readonly keyring: Pick<Keyring, 'trustOf' | 'load'>
  readonly readRevocationList: ReadRevocationList
}

const absent = new Uint8Array()

/** Throws NotReady while a part of it is not what the authority reports. */
export const contentOf = async (
  { keyring, readRevocationList }: Sources,
  authority: CertificateAuthority,
  { items }: Target,
  random: (size: number) => Uint8Array,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Uint8Array>> => {
  const uses = new Set(items.flatMap(({ content }) => contents[content].uses))
  const notReady = (what: string): NotReady =>
    new NotReady('AuthorityNotReady', `CertificateAuthority ${keyOf(authority)}: ${what}.`)
  const read = async <T>(load: () => Promise<T>): Promise<T> => {
    try {
      return await load()
    } catch (error) {
      if (error instanceof ApiError || !(error instanceof Error)) throw error
      throw notReady(error.message)
    }
  }
  const trust = await read(() => keyring.trustOf(authority))
  if (trustHash(trust) !== authority.status?.trustBundleHash) throw notReady('its roots are not those it reports')
  const revocationList = uses.has('revocationList') ? await readRevocationList(authority, signal) : undefined
  if (uses.has('revocationList') && revocationList === undefined) throw notReady('its revocation list cannot be read')
  // The cache of ConfigMaps may be behind the one of authorities: a former list must not pass for the one reported.
  if (
    revocationList !== undefined &&
    (parseRevocationList(readElement(revocationList).encoded).number ?? 0n) <
      (listNumberOf(authority.status?.crl) ?? 0n)
  )
    throw new Retryable('Conflict', `CertificateAuthority ${keyOf(authority)}: its revocation list is behind.`)
  const ingredients = {
    // No content of a trust target is made of a leaf.
    certificate: absent,
    chain: [],
    authority: uses.has('authority') ? (await read(() => keyring.load(authority))).certificate.der : absent,
    trust,
    password: storePassword,
    revocationList,
  }
  return encodeContents(items, ingredients, settings, random)
}
