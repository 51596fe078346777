/** What the caches alone say of a certificate, at no request. */

import { refusal } from '../authority/allowed.ts'
import { labelsOfNamespace } from '../authority/keyring.ts'
import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { fromTimestamp, isAhead } from '../control/schedule.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReady } from '../resources/conditions.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { windowsProblem } from './renewal.ts'
import { authorityKeyOf } from './rivals.ts'
import { standingUnder } from './standing.ts'
import { patientUntil, type Turns } from './turns.ts'
import { isUndisturbed } from './undisturbed.ts'

/**
 * Until when the caches alone show that nothing needs to be done, ms since the epoch: the status was written for this
 * generation, and Secret, password and CA are still the ones it was written for. Costs no request.
 */
export const settledUntil = (
  context: Context,
  certificate: DatabaseCertificate,
  verified: { readonly secret: string; readonly password: string; readonly request: string } | undefined,
  turns: Turns,
): number | undefined => {
  const { caches, clock } = context
  const { metadata, spec, status } = certificate
  if (status === undefined || status.observedGeneration !== metadata.generation) return undefined
  if (!isReady(certificate)) return undefined
  if (windowsProblem(spec.rotation ?? {}) !== undefined) return undefined
  const renewAt = renewalAt(certificate, status, turns, clock.now())
  if (renewAt === undefined || renewAt <= clock.now()) return undefined
  if (isAhead(fromTimestamp(status.notBefore) ?? 0, clock.now())) return undefined

  const namespace = metadata.namespace ?? 'default'
  const authority = caches.authorities.store.get(authorityKeyOf(certificate))
  if (authority === undefined) return undefined
  // An authority in trouble changes nothing about a certificate that needs nothing.
  if (isReady(authority) && !isInPlace(certificate, authority, turns)) return undefined
  if (refusal(authority, namespace, labelsOfNamespace(caches)) !== undefined) return undefined
  if (!isUndisturbed(context, certificate, authority, verified?.request)) return undefined

  const secret = caches.secrets.store.get(`${namespace}/${spec.secret.name}`)?.metadata
  if (secret === undefined) return undefined
  if (secret.uid !== status.observed?.secretUid) return undefined
  if (secret.resourceVersion !== status.observed?.secretResourceVersion && secret.resourceVersion !== verified?.secret)
    return undefined

  const password = spec.keystore?.passwordSecretRef
  if (password !== undefined) {
    const present = caches.secrets.store.get(`${namespace}/${password.name}`)?.metadata.resourceVersion
    if (present === undefined) return undefined
    if (present !== status.observed?.passwordResourceVersion && present !== verified?.password) return undefined
  }
  return renewAt
}

/** When time alone leads to a renewal: later where it has to wait for a turn in a rotation. */
const renewalAt = (
  certificate: DatabaseCertificate,
  status: NonNullable<DatabaseCertificate['status']>,
  turns: Turns,
  now: number,
): number | undefined => {
  const [renewAt, notAfter] = [status.renewAt, status.notAfter].map(fromTimestamp)
  if (renewAt === undefined || notAfter === undefined || renewAt > now) return renewAt
  return turns.mayRenew(authorityKeyOf(certificate), keyOf(certificate)) ? renewAt : patientUntil(renewAt, notAfter)
}

/** It holds what it should, or its turn in a rotation has not come. */
const isInPlace = (certificate: DatabaseCertificate, authority: CertificateAuthority, turns: Turns): boolean => {
  const standing = standingUnder(certificate.status, authority.status)
  return standing === 'Former' ? !turns.mayMove(keyOf(authority), keyOf(certificate)) : standing !== undefined
}
