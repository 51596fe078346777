/** Reads everything one decision needs, from caches where they suffice and live where contents matter. Decides nothing. */

import { refusal } from '../authority/allowed.ts'
import { type Keyring, labelsOfNamespace } from '../authority/keyring.ts'
import { publicationOf } from '../authority/published.ts'
import { StoredAuthorityError } from '../authority/stored.ts'
import { ApiError } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import { type Context, existing } from '../control/context.ts'
import { readSecret, readText } from '../control/secrets.ts'
import { isCompromisedKey } from '../ledger/record.ts'
import { commonNameOf } from '../pki/names/names.ts'
import { findCondition } from '../resources/conditions.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { listNumberOf } from '../resources/crl-number.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { seenBy } from './early.ts'
import type { Familiar } from './familiar.ts'
import { seeRequest } from './gather-request.ts'
import { dueSecret, needsSecret, seeSecret } from './gather-secret.ts'
import { policyOf } from './judge.ts'
import type { AuthoritySeen, Observed, RevocationListSeen } from './observed.ts'
import { type ReadAuthorityKey, seeAuthorityKey } from './key-export.ts'
import type { KeyStays } from './key-withdrawal.ts'
import { authorityKeyOf, commonNameHolder, keyHolder, seeEntry } from './rivals.ts'
import type { Turns } from './turns.ts'
import { resolve, type Wanted } from './wanted.ts'

/** The list of a CA, DER; undefined while it has made none. */
export type ReadRevocationList = (
  authority: CertificateAuthority,
  signal: AbortSignal,
) => Promise<Uint8Array | undefined>

export interface GatherOptions {
  readonly familiar: Familiar
  readonly readRevocationList: ReadRevocationList
  readonly readAuthorityKey: ReadAuthorityKey
  readonly keyStays: KeyStays
  readonly turns: Turns
  /** The Secret is there, whatever the cache says. */
  readonly surprised?: boolean
}

export const gather = async (
  context: Context,
  keyring: Pick<Keyring, 'load'>,
  certificate: DatabaseCertificate,
  signal: AbortSignal,
  { familiar, readRevocationList, readAuthorityKey, keyStays, turns, surprised = false }: GatherOptions,
): Promise<Observed> => {
  const { metadata, status } = certificate
  const namespace = metadata.namespace ?? 'default'
  const request = certificate.spec.request === undefined ? undefined : await seeRequest(context, certificate, signal)
  const resolved = resolve(certificate, request)
  const wanted = 'wanted' in resolved ? resolved.wanted : undefined
  const reported = wanted === undefined ? undefined : seeEntry(context, wanted.authority, status?.serialNumber)
  const queued = !turns.mayRenew(authorityKeyOf(certificate), keyOf(certificate))
  const due =
    wanted === undefined || surprised || reported?.state === 'Revoked'
      ? undefined
      : dueSecret(context, certificate, wanted, { familiar, queued })
  const [authority, password, revocationList, secret] = await Promise.all([
    seeAuthority(context, keyring, wanted, namespace, status),
    wanted?.passwordRef === undefined
      ? undefined
      : readText(context.cluster, namespace, wanted.passwordRef, 'spec.keystore.passwordSecretRef', signal),
    wanted === undefined ? undefined : seeRevocationList(context, wanted, readRevocationList, signal),
    due === undefined && (surprised || needsSecret(context, certificate))
      ? readSecret(context.cluster, { namespace, name: certificate.spec.secret.name }, signal)
      : undefined,
  ])
  const authorityKey =
    wanted === undefined
      ? undefined
      : await seeAuthorityKey(context, readAuthorityKey, wanted, namespace, authority.state === 'usable', keyStays)
  const beside = { authority, password, revocationList, authorityKey }
  const mayMove = (): boolean => turns.mayMove(authorityKeyOf(certificate), keyOf(certificate))
  const seen = due ?? (await seeSecret(context, certificate, secret, wanted, { ...beside, mayMove }))
  const leaf = seen.state === 'present' ? seen.leaf : undefined
  return {
    name: `DatabaseCertificate ${namespace}/${metadata.name}`,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 1,
    resolved: wanted === undefined ? { problems: resolved.problems ?? [] } : { wanted },
    status,
    ...beside,
    request,
    secret: seen,
    queued,
    entry:
      wanted === undefined || leaf === undefined || leaf.serialNumber === status?.serialNumber
        ? reported
        : seeEntry(context, wanted.authority, leaf.serialNumber),
    commonNameHolder:
      wanted === undefined ? undefined : commonNameHolder(context, certificate, commonNameOf(wanted.subject)),
    keyHolder:
      wanted === undefined || authority.state !== 'usable'
        ? undefined
        : keyHolder(context, certificate, wanted, authority),
    keyCompromised:
      wanted?.request !== undefined &&
      isCompromisedKey(context.caches, [wanted.authority.namespace, metadata.namespace], wanted.request.spki),
  }
}

const seeRevocationList = async (
  { caches }: Context,
  { authority: { namespace, name }, secret }: Wanted,
  read: ReadRevocationList,
  signal: AbortSignal,
): Promise<RevocationListSeen | undefined> => {
  if (!secret.items.some(({ content }) => content === 'RevocationList')) return undefined
  const authority = caches.authorities.store.get(`${namespace}/${name}`)
  if (authority === undefined) return undefined
  const list = await read(authority, signal)
  if (list === undefined) return { state: 'absent', made: authority.spec.crl?.enabled === true }
  return { state: 'found', list, number: String(listNumberOf(authority.status?.crl) ?? '') }
}

const seeAuthority = async (
  { caches, clock }: Context,
  keyring: Pick<Keyring, 'load'>,
  wanted: Wanted | undefined,
  namespace: string,
  status: DatabaseCertificate['status'],
): Promise<AuthoritySeen> => {
  if (wanted === undefined) return { state: 'notReady', message: '' }
  const { authority: reference } = wanted
  const authority = existing(caches.authorities, `${reference.namespace}/${reference.name}`)
  const name = `CertificateAuthority ${reference.namespace}/${reference.name}`
  if (authority === undefined)
    return {
      state: 'missing',
      message: `${name} of spec.authorityRef does not exist; create it or correct the reference.`,
    }
  const refused = refusal(authority, namespace, labelsOfNamespace(caches))
  if (refused !== undefined) return { state: 'refused', message: refused }
  const ready = findCondition(authority.status?.conditions, 'Ready')
  if (ready?.status !== 'True')
    return { state: 'notReady', message: `${name} is not Ready${ready === undefined ? '.' : `: ${ready.message}`}` }
  try {
    const material = seenBy(await keyring.load(authority), status, clock.now())
    const policy = policyOf(authority)
    return {
      state: 'usable',
      name,
      uid: authority.metadata.uid ?? '',
      material,
      ...(policy === undefined ? {} : { policy }),
      published: publicationOf(authority),
    }
  } catch (error) {
    if (error instanceof ApiError || !(error instanceof StoredAuthorityError || error instanceof Error)) throw error
    return { state: 'notReady', message: `${name} cannot sign: ${error.message}.` }
  }
}
