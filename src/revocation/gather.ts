/** Reads everything one decision about a revocation list needs. Decides nothing. */

import type { AuthorityMaterial, Keyring } from '../authority/keyring.ts'
import { ApiError } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import { type Context, marks } from '../control/context.ts'
import { isRotating } from '../control/rotation.ts'
import { fromTimestamp } from '../control/schedule.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { findCondition } from '../resources/conditions.ts'
import { contentHash, type ListKey } from './entries.ts'
import type { Observed, OtherSeen, SignerSeen } from './observed.ts'
import { listCondition } from './report.ts'
import { readConfigMap, revocationListName, seeStored } from './stored.ts'
import { dueAt, type ListPolicy } from './wanted.ts'

export const keyOfAuthority = ({ status }: CertificateAuthority): ListKey | undefined =>
  status?.certificate === undefined
    ? undefined
    : { keyId: status.certificate.subjectKeyId, publicKeyHash: status.certificate.publicKeyHash }

/** Whether the CA's own controller lets go of it: a hold counts at once, its end when that controller has looked again. */
const mayAct = ({ metadata, status }: CertificateAuthority): boolean => {
  if (metadata.annotations?.[marks.hold] !== undefined) return false
  const ready = findCondition(status?.conditions, 'Ready')
  return ready !== undefined && ready.reason !== 'Held'
}

/**
 * When the next list is due, where the caches alone show that the present one is right: its ConfigMap is the one that was
 * verified, and the ledger says what it was made from. Costs no request.
 */
export const settledUntil = (
  { caches, clock }: Pick<Context, 'caches' | 'clock'>,
  authority: CertificateAuthority,
  policy: ListPolicy,
  /** resourceVersion of the ConfigMap found good since the status was written. */
  verified: string | undefined,
): number | undefined => {
  // Of two keys only a look can tell.
  if (isRotating(authority)) return undefined
  const { crl, conditions } = authority.status ?? {}
  const key = keyOfAuthority(authority)
  const [thisUpdate, nextUpdate] = [fromTimestamp(crl?.thisUpdate), fromTimestamp(crl?.nextUpdate)]
  if (crl?.contentHash === undefined || key === undefined || thisUpdate === undefined || nextUpdate === undefined)
    return undefined
  if (findCondition(conditions, listCondition)?.status !== 'True') return undefined
  const due = dueAt(policy, nextUpdate, authority.metadata.uid ?? '')
  // A list that lasts longer than a new one would is judged by the decision.
  if (due <= clock.now() || nextUpdate > clock.now() + policy.durationMs) return undefined
  const map = caches.configMaps.store.get(`${authority.metadata.namespace}/${revocationListName(authority)}`)?.metadata
  if (map === undefined || map.uid !== crl.configMapUid) return undefined
  if (map.resourceVersion !== crl.configMapResourceVersion && map.resourceVersion !== verified) return undefined
  const ledger = caches.ledger.store.by('authority', keyOf(authority))
  return contentHash(ledger, key, thisUpdate) === crl.contentHash ? due : undefined
}

export const gather = async (
  context: Context,
  keyring: Pick<Keyring, 'load'>,
  authority: CertificateAuthority,
  policy: ListPolicy,
  tried: bigint | undefined,
  signal: AbortSignal,
): Promise<Observed> => {
  const [map, { signer, present, other }] = await Promise.all([
    readConfigMap(context.cluster, authority, signal),
    seeSigners(keyring, authority, context.clock.now()),
  ])
  return {
    name: `CertificateAuthority ${keyOf(authority)}`,
    uid: authority.metadata.uid ?? '',
    listName: revocationListName(authority),
    policy,
    mayAct: mayAct(authority),
    status: authority.status?.crl,
    key: keyOfAuthority(authority),
    signer,
    other,
    stored: seeStored(authority, map, { present, other: other?.signer.spki }),
    ledger: context.caches.ledger.store.by('authority', keyOf(authority)),
    tried,
  }
}

interface Signers {
  readonly signer: SignerSeen
  /** SubjectPublicKeyInfo. */
  readonly present?: Uint8Array
  readonly other?: OtherSeen | undefined
}

const seeSigners = async (
  keyring: Pick<Keyring, 'load'>,
  authority: CertificateAuthority,
  now: number,
): Promise<Signers> => {
  if (authority.status?.certificate === undefined)
    return { signer: { state: 'unusable', message: 'it has no certificate yet' } }
  try {
    const material = await keyring.load(authority)
    const { signer, certificate } = material
    return {
      signer: material.keyless
        ? { state: 'unusable', message: 'its owner has taken its key away; the next CA makes lists after the switch' }
        : {
            state: 'usable',
            notBefore: certificate.notBefore,
            notAfter: certificate.notAfter,
            mayIssue: signer.mayIssueRevocationLists,
          },
      present: certificate.spki,
      other: seeOther(material, now),
    }
  } catch (error) {
    if (error instanceof ApiError || !(error instanceof Error)) throw error
    return { signer: { state: 'unusable', message: error.message.replace(/\.$/, '') } }
  }
}

/** Whose lists nobody would believe makes none: the last one stays. */
const seeOther = ({ next, former }: AuthorityMaterial, now: number): OtherSeen | undefined => {
  const { certificate, signer } = next ?? former ?? {}
  if (certificate === undefined || signer?.mayIssueRevocationLists !== true) return undefined
  if (certificate.notBefore > now || certificate.notAfter < now) return undefined
  const keyId = Buffer.from(signer.subjectKeyId).toString('hex')
  const key = { keyId, publicKeyHash: publicKeyHash(certificate.spki) }
  return { name: next === undefined ? 'former' : 'next', key, signer }
}
