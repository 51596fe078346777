/**
 * What can be said of a request without the key and the memory of the operator: whether the cluster would take it, and what
 * the rules say that the CertificateAuthority itself shows.
 */

import { refusal } from '../../authority/allowed.ts'
import { resolve as resolveAuthority } from '../../authority/wanted.ts'
import { policyOf, violationsOfWanted } from '../../certificate/judge.ts'
import { resolve } from '../../certificate/wanted.ts'
import { isForbidden, isNotFound } from '../../cluster/errors.ts'
import { type Finding, stall } from '../../control/decision.ts'
import { NameError, parseDistinguishedName } from '../../pki/names/names.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { findCondition } from '../../resources/conditions.ts'
import { type Namespace, namespaces } from '../../resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import { findAuthority, named } from '../ledger/entries.ts'
import { fieldManager } from '../objects/renew.ts'
import type { Target } from '../shared/target.ts'
import type { Asked } from './request.ts'
import type { Admissible, Refused } from './verdict.ts'

export const preview = async (
  { cluster }: Pick<Target, 'cluster'>,
  { request }: Asked,
  wish: DatabaseCertificate,
): Promise<Admissible | Refused> => {
  const resolved = resolve(wish, { state: 'read', version: '', request })
  if ('problems' in resolved)
    return { state: 'refused', refusals: [stall('RequestInvalid', resolved.problems.join(' '))] }
  const { wanted } = resolved
  const authority = await findAuthority(cluster, wanted.authority)
  const refusals =
    authority === undefined
      ? [
          stall(
            'AuthorityNotFound',
            `${named(wanted.authority)} of spec.authorityRef does not exist; create it or correct the reference.`,
          ),
        ]
      : await judged(cluster, authority, wish, wanted)
  if (refusals.length > 0) return { state: 'refused', refusals }
  await cluster.create(databaseCertificates, wish, { fieldManager, dryRun: true })
  const { namespace = 'default', name } = wish.metadata
  return { state: 'admissible', wanted, holder: { namespace, name } }
}

const judged = async (
  cluster: Target['cluster'],
  authority: CertificateAuthority,
  wish: DatabaseCertificate,
  wanted: Admissible['wanted'],
): Promise<Finding[]> => {
  const { namespace = 'default' } = wish.metadata
  const labels = await labelsOf(cluster, namespace)
  // What this person cannot see, the operator may.
  const bySelector = authority.spec.allowedNamespaces?.from === 'Selector' && labels === undefined
  const refused = bySelector ? undefined : refusal(authority, namespace, () => labels)
  if (refused !== undefined) return [stall('AuthorityNotAllowed', refused)]
  const { status } = authority
  const ready = findCondition(status?.conditions, 'Ready')
  const certificate = status?.certificate
  if (ready?.status !== 'True' || certificate === undefined)
    return [
      stall(
        'AuthorityNotReady',
        `${named(wanted.authority)} is not Ready${ready === undefined ? '.' : `: ${ready.message}`}`,
      ),
    ]
  const subject = nameOf(certificate.subject)
  if (subject === undefined) return []
  const own = resolveAuthority(authority)
  const constraints = 'wanted' in own ? own.wanted.nameConstraints : undefined
  const signer = { subject, nameConstraints: constraints === undefined ? [] : [constraints] }
  const policy = policyOf(authority)
  const judge = { name: named(wanted.authority), material: { signer }, ...(policy === undefined ? {} : { policy }) }
  return violationsOfWanted(judge, wanted).map(({ reason, message }) => stall(reason, message))
}

/** Of an authority brought along there may be attributes that only its DER can tell. */
const nameOf = (text: string): Uint8Array | undefined => {
  try {
    return parseDistinguishedName(text)
  } catch (error) {
    if (error instanceof NameError) return undefined
    throw error
  }
}

const labelsOf = async (
  cluster: Target['cluster'],
  name: string,
): Promise<Readonly<Record<string, string>> | undefined | null> => {
  try {
    const found: Namespace = await cluster.get(namespaces, { name })
    return found.metadata.labels ?? {}
  } catch (error) {
    if (isNotFound(error)) return null
    if (isForbidden(error)) return undefined
    throw error
  }
}
